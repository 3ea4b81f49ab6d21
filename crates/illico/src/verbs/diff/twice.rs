//! The same guest booted twice, one thing changed.

use std::ffi::OsString;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use illico_machine::config::Config;
use illico_machine::report::Report;

use crate::failure::Failure;
use crate::naming::{Origin, Written};
use crate::output;
use crate::status::Status;
use crate::verbs::boot::{self, Boot, configure};

/// Boots it with `options`, and with the options of `change` in the place of the same ones.
pub fn boot(options: &[OsString], change: &[String]) -> Result<(Report, Report), Failure> {
    let change: Vec<OsString> = change.iter().flat_map(|words| words.split_whitespace()).map(OsString::from).collect();
    let (first, second) = both(options, &change)?;
    // All that is wrong with either is reported before anything runs.
    let (first, second) = (configure::from(&first)?, configure::from(&second)?);
    Ok((run("A", first)?, run("B", second)?))
}

fn run(name: &str, (config, written): (Config, Written)) -> Result<Report, Failure> {
    let finished = boot::quietly(&config, &Origin::Boot(written))?;
    match Status::of(finished.end()) {
        Status::Ended => Ok(finished.report()),
        status => {
            let code = status.code();
            Err(format!("run {name} ended with exit status: {code}, and only guests that end well are compared").into())
        }
    }
}

/// The options of both runs.
fn both(options: &[OsString], change: &[OsString]) -> Result<(Boot, Boot), Failure> {
    let wrong = |error: clap::Error| output::usage_line(&error.to_string());
    let given = parse(options).map_err(wrong)?;
    let changed = parse(change).map_err(wrong)?;
    let first = Boot::from_arg_matches(&given).map_err(wrong)?;
    let mut second = Boot::from_arg_matches(&given).map_err(wrong)?;
    second.update_from_arg_matches(&changed).map_err(wrong)?;
    // A switch that the change does not name counts as switched off there.
    second.no_default_cmdline |= first.no_default_cmdline;
    second.rtc |= first.rtc;
    Ok((first, second))
}

fn parse(words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let command = Boot::augment_args(Command::new("boot").no_binary_name(true));
    command.try_get_matches_from(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    fn described(options: &Boot) -> String {
        let Boot { kernel, transport, cpus, without, devices, rtc, .. } = options;
        format!("{kernel:?} {transport:?} {cpus:?} {without:?} {devices:?} {rtc}")
    }

    #[test]
    fn a_changed_option_replaces_the_same_one() {
        let options = "--kernel a --cpus=2 --transport pci --rtc --disk path=a --disk path=b";
        for (change, expected) in [
            ("--kernel b", "--kernel b --cpus=2 --transport pci --rtc --disk path=a --disk path=b"),
            ("--transport mmio", "--kernel a --cpus=2 --transport mmio --rtc --disk path=a --disk path=b"),
            ("--cpus 1", "--kernel a --cpus 1 --transport pci --rtc --disk path=a --disk path=b"),
            ("--disk path=c", "--kernel a --cpus=2 --transport pci --rtc --disk path=c"),
            ("--without msix", "--kernel a --cpus=2 --transport pci --rtc --disk path=a --disk path=b --without msix"),
        ] {
            let (first, second) = both(&words(options), &words(change)).unwrap();
            let expected = both(&words(expected), &[]).unwrap().0;
            assert_eq!(described(&second), described(&expected), "{change}");
            assert_eq!(described(&first), described(&both(&words(options), &[]).unwrap().0));
        }
    }
}
