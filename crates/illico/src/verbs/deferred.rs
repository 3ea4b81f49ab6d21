//! Options that clap hears of only when their verb is asked for.
//!
//! Describing an option to clap takes a microsecond or two, and there are many verbs with many options: a machine that
//! lives for two milliseconds should not wait for the descriptions of options of other verbs.

use std::ops::Deref;

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// The options of a verb.
#[derive(Debug)]
pub struct Deferred<T>(Box<T>);

impl<T> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|verb| keep_about(verb, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|verb| keep_about(verb, T::augment_args_for_update))
    }
}

/// What a verb does is said where it is named; adding the options would put the words on their type in that place.
fn keep_about(verb: Command, augment: fn(Command) -> Command) -> Command {
    let (short, long) = (verb.get_about().cloned(), verb.get_long_about().cloned());
    augment(verb).about(Resettable::from(short)).long_about(Resettable::from(long))
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(|options| Self(Box::new(options)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
