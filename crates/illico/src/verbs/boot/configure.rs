//! From options to a configuration: a file first, then what the command line says.

use std::path::Path;

use illico_machine::config::{Config, MAX_CPUS, key_value};
use illico_virtio::net::NetSpec;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::naming::Written;
use crate::verbs::boot::Boot;

/// The machine that the options describe, and what stands where.
pub fn from(options: &Boot) -> Result<(Config, Written), Failure> {
    let (mut config, mut written) = match &options.config {
        Some(path) => {
            let config = read(path)?;
            let written = Written::in_file(path.clone(), &config);
            (config, written)
        }
        None => (Config::default(), Written::default()),
    };
    written.options = given(options);
    if let Some(kernel) = &options.kernel {
        config.kernel.clone_from(kernel);
    }
    if let Some(initrd) = &options.initrd {
        config.initrd = Some(initrd.clone());
    }
    if let Some(words) = &options.cmdline {
        if !config.cmdline.is_empty() {
            config.cmdline.push(' ');
        }
        config.cmdline.push_str(words);
    }
    if options.no_default_cmdline {
        config.default_cmdline = false;
    }
    if let Some(cpus) = &options.cpus {
        config.cpus = cpus.parse().map_err(|_| format!("--cpus: {cpus:?} is not a number between 1 and {MAX_CPUS}"))?;
    }
    if let Some(memory) = &options.memory {
        config.memory = memory.parse().map_err(|error| format!("--memory: {error}"))?;
    }
    for (option, text) in &options.devices.0 {
        config.add_device(option, text).map_err(|error| format!("--{option}: {error}"))?;
    }
    publish(&options.publish, &mut config.net)?;
    choose("--console", options.console.as_deref(), &mut config.console)?;
    config.rtc |= options.rtc;
    choose("--transport", options.transport.as_deref(), &mut config.transport)?;
    for word in &options.without {
        config.without.push(key_value::word("--without", word)?);
    }
    choose("--announce", options.announce.as_deref(), &mut config.announce)?;
    choose("--hugepages", options.hugepages.as_deref(), &mut config.hugepages)?;
    Ok((config, written))
}

/// Fields that options set, whatever a file says.
fn given(options: &Boot) -> Vec<&'static str> {
    let fields = [
        ("kernel", options.kernel.is_some()),
        ("initrd", options.initrd.is_some()),
        ("cmdline", options.cmdline.is_some()),
        ("default-cmdline", options.no_default_cmdline),
        ("cpus", options.cpus.is_some()),
        ("memory", options.memory.is_some()),
        ("console", options.console.is_some()),
        ("rtc", options.rtc),
        ("transport", options.transport.is_some()),
        ("without", !options.without.is_empty()),
        ("announce", options.announce.is_some()),
        ("hugepages", options.hugepages.is_some()),
    ];
    fields.into_iter().filter(|(_, given)| *given).map(|(field, _)| field).collect()
}

/// Adds network cards, and the ports that lead to them.
pub fn networks(cards: &[String], ports: &[String], config: &mut Config) -> Result<(), Failure> {
    for text in cards {
        config.add_device("net", text).map_err(|error| format!("--net: {error}"))?;
    }
    publish(ports, &mut config.net)
}

fn read(path: &Path) -> Result<Config, Failure> {
    let wrong = |error: String| format!("--config: {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let parsed = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Some("toml") => toml::from_str(&text).map_err(|error| match error.span() {
            Some(span) => format!("{} at line {}", error.message(), line(&text, span.start)),
            None => error.message().to_owned(),
        }),
        _ => Err("the name must end in .json or .toml".to_owned()),
    };
    parsed.map_err(|error| wrong(error).into())
}

/// The number of the line that holds byte number `at`.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

/// Ports lead to the one card that can have any.
fn publish(texts: &[String], cards: &mut [NetSpec]) -> Result<(), Failure> {
    if texts.is_empty() {
        return Ok(());
    }
    let card = cards.iter_mut().find(|card| card.user).ok_or("-p: ports lead to a guest with --net user: add it")?;
    for text in texts {
        card.forward.push(text.parse().map_err(|error| format!("-p: {error}"))?);
    }
    Ok(())
}

fn choose<T: DeserializeOwned>(option: &str, text: Option<&str>, choice: &mut T) -> Result<(), Failure> {
    if let Some(text) = text {
        *choice = key_value::word(option, text)?;
    }
    Ok(())
}
