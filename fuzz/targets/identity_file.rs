//! Identity files: reading never panics, and tells a place in the file; what is read is taken whole or not at all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_fuzz::WORLD;
use trent_service::identity_file::{GivenSources, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let files = [("all.json", policy), ("SECRET", "of-a-test")];
    let sources = GivenSources(files.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    match parse(text, &sources) {
        Ok(configured) => {
            if let Err(error) = WORLD.run(WORLD.kms.service.configure(configured)) {
                assert!(!error.to_string().is_empty());
            }
        }
        Err(problem) => {
            let (line, column) = problem.place;
            let lines = text.split('\n').count();
            assert!(line >= 1 && line <= lines && column >= 1, "{problem}: there are {lines} lines");
            assert!(!problem.text.is_empty());
        }
    }
});
