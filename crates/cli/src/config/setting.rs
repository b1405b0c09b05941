//! Settings as data: names, defaults and comments, and the default file made of them.

use super::SECTIONS;

/// A section of the file.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) comment: &'static str,
    pub(super) settings: &'static [Setting],
}

/// A setting of a section.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) default: Default,
    /// What it is for; lines are broken where it says so.
    pub(super) comment: &'static str,
}

/// The default of a setting, as TOML.
pub(super) enum Default {
    /// This value.
    Is(&'static str),
    /// None; the value shown is an example.
    Unset(&'static str),
}

/// The full names of all settings, `section.name`.
pub(super) fn names() -> impl Iterator<Item = String> {
    SECTIONS.into_iter().flat_map(|section| {
        section.settings.iter().map(|setting| format!("{}.{}", section.name, setting.name))
    })
}

/// The configuration file that sets everything to its default.
pub(crate) fn default_file() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        text.push('\n');
        push_comment(&mut text, section.comment);
        text.push_str(&format!("[{}]\n", section.name));
        for Setting { name, default, comment } in section.settings {
            push_comment(&mut text, comment);
            text.push_str(&match default {
                Default::Is(value) => format!("{name} = {value}\n"),
                Default::Unset(example) => format!("# {name} = {example}\n"),
            });
        }
    }
    text
}

fn push_comment(text: &mut String, comment: &str) {
    for line in comment.lines() {
        text.push_str("# ");
        text.push_str(line);
        text.push('\n');
    }
}

const HEAD: &str = "\
# Configuration of trent: every setting with its default. Use it with --config FILE.
# The variable TRENT_HTTP__LISTEN overrides `listen` of [http], and so for every setting; flags override both.
# Relative paths start at the working directory of the process.
# SIGHUP brings changes of log.level, [quotas], [xks], [hsm], of the identity file and of certificates into force; the rest
# needs a restart.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_default_file_sets_the_defaults() {
        assert_eq!(toml::from_str::<Config>(&default_file()).unwrap(), Config::default());
    }

    /// The names that a section's struct has, as its refusal of another one tells them.
    fn fields_of(section: &str) -> Vec<String> {
        let refusal = toml::from_str::<Config>(&format!("[{section}]\nno-such-name = 1\n")).unwrap_err();
        let expected = refusal.message().split_once("expected").unwrap().1.to_owned();
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_default_file_has_every_setting_and_no_other() {
        for section in SECTIONS {
            let told: Vec<_> = section.settings.iter().map(|setting| setting.name).collect();
            assert_eq!(fields_of(section.name), told, "[{}]", section.name);
        }
    }

    #[test]
    fn the_default_file_has_every_section() {
        let refusal = toml::from_str::<Config>("no-such-name = 1").unwrap_err();
        for name in refusal.message().split_once("expected").unwrap().1.split('`').skip(1).step_by(2) {
            assert!(default_file().contains(&format!("[{name}]")), "{name}");
        }
    }

    #[test]
    fn examples_of_unset_settings_are_valid() {
        let set: String = default_file()
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") && !rest.contains(' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert!(toml::from_str::<Config>(&set).is_ok());
    }

    #[test]
    fn every_setting_is_explained() {
        for setting in SECTIONS.iter().flat_map(|section| section.settings) {
            assert!(setting.comment.ends_with('.'), "{}", setting.name);
        }
    }
}
