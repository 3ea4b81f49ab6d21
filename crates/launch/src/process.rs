//! The command of an image, from its configuration and from what the person gave instead, by docker's rules.

use std::ffi::OsString;

use illico_image::ImageConfig;
use illico_protocol::{Exec, Word};

use super::environment::Environment;
use crate::error::{Part, PlanError};
use crate::signal_names::SignalName;

/// SIGTERM: what asks a program to stop, if its image names no other signal.
pub const SIGTERM: u8 = 15;

/// The command to run: the image's entrypoint, followed by the command that was asked for, else the image's own.
pub fn command(image: &ImageConfig, asked: Vec<OsString>) -> Result<Exec, PlanError> {
    let entrypoint = image.entrypoint.iter().map(|word| Word::from(word.as_str()));
    let words: Vec<Word> = if asked.is_empty() {
        entrypoint.chain(image.cmd.iter().map(|word| Word::from(word.as_str()))).collect()
    } else {
        entrypoint.chain(asked.into_iter().map(Word::from)).collect()
    };
    if words.is_empty() {
        return Err(PlanError::new(Part::Command, "the image names no command: give one behind it"));
    }
    let said = |text: &String| (!text.is_empty()).then(|| text.clone());
    // Without a user it is root, with the groups that the image's files list root in.
    let user = said(&image.user);
    Ok(Exec { cwd: said(&image.workdir).map(Word::from), user, ..Exec::new(words) })
}

/// The environment of an image.
pub fn environment(image: &ImageConfig) -> Environment {
    let mut environment = Environment::default();
    image.env.iter().for_each(|text| environment.set(text));
    environment
}

/// The signal that asks the command to stop. An image that names an unknown signal gets SIGTERM.
pub fn stop_signal(image: &ImageConfig) -> u8 {
    let text = image.stop_signal.to_ascii_uppercase();
    let word = text.strip_prefix("SIG").unwrap_or(&text);
    if let Some(offset) = word.strip_prefix("RTMIN+").and_then(|offset| offset.parse().ok()) {
        // Where the C library's signals begin; the two below are its own.
        return 34_u8.checked_add(offset).filter(|&number| number <= 64).unwrap_or(SIGTERM);
    }
    if let Some(number) = word.parse().ok().filter(|number| (1..=64).contains(number)) {
        return number;
    }
    let named = word.parse::<SignalName>().ok();
    named.and_then(|name| u8::try_from(name.0.as_raw()).ok()).unwrap_or(SIGTERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(entrypoint: &[&str], cmd: &[&str]) -> ImageConfig {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        ImageConfig { entrypoint: words(entrypoint), cmd: words(cmd), ..ImageConfig::default() }
    }

    fn words(image: &ImageConfig, asked: &[&str]) -> String {
        let exec = command(image, asked.iter().map(OsString::from).collect());
        exec.map(|exec| format!("{:?}", exec.command)).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_command_takes_the_place_of_the_image_s_and_not_that_of_its_entrypoint() {
        let both = image(&["/entry"], &["serve", "-v"]);
        assert_eq!(words(&both, &[]), r#"["/entry", "serve", "-v"]"#);
        assert_eq!(words(&both, &["help"]), r#"["/entry", "help"]"#);
        assert_eq!(words(&image(&[], &["sh"]), &["ls", "/"]), r#"["ls", "/"]"#);
        assert!(words(&image(&[], &[]), &[]).contains("names no command"));
    }

    #[test]
    fn user_and_folder_are_the_image_s_or_root_s() {
        let plain = command(&image(&[], &["sh"]), vec![]).unwrap();
        assert_eq!((plain.user.as_deref(), plain.cwd), (None, None));
        let said = ImageConfig { user: "www".to_owned(), workdir: "/srv".to_owned(), ..image(&[], &["sh"]) };
        let said = command(&said, vec![]).unwrap();
        assert_eq!((said.user.as_deref(), said.cwd), (Some("www"), Some("/srv".into())));
    }

    #[test]
    fn the_stop_signal_is_a_name_a_number_or_a_real_time_signal() {
        for (text, number) in [
            ("", 15),
            ("SIGQUIT", 3),
            ("INT", 2),
            ("9", 9),
            ("SIGRTMIN+3", 37),
            ("RTMIN+99", 15),
            ("65", 15),
            ("NO", 15),
        ] {
            let image = ImageConfig { stop_signal: text.to_owned(), ..image(&[], &["sh"]) };
            assert_eq!(stop_signal(&image), number, "{text}");
        }
    }
}
