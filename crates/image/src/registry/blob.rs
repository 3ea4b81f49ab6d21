//! A blob as it arrives. Where the connection breaks off, another one goes on from there.

use std::io::{self, Read};

use ureq::BodyReader;

use super::RegistryError;
use super::client::{Client, is_passing, wait};
use crate::digest::Digest;

/// How many connections may break off without a byte in between.
const TRIES: u32 = 4;

/// A blob that is being read.
pub(super) struct Blob<'a> {
    client: &'a Client,
    digest: Digest,
    size: u64,
    at: u64,
    body: Option<BodyReader<'static>>,
    broken: u32,
}

impl<'a> Blob<'a> {
    pub(super) fn new(client: &'a Client, digest: Digest, size: u64) -> Self {
        Self { client, digest, size, at: 0, body: None, broken: 0 }
    }

    fn body(&mut self) -> io::Result<&mut BodyReader<'static>> {
        if self.body.is_none() {
            let (body, start) = self.client.blob(self.digest, self.at).map_err(io::Error::other)?;
            let mut reader = body.into_reader();
            // From the start, if this registry cannot do better.
            let known = self.at.saturating_sub(start);
            io::copy(&mut (&mut reader).take(known), &mut io::sink())?;
            self.body = Some(reader);
        }
        self.body.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.body().and_then(|body| body.read(buffer));
            let broken = match &read {
                // The whole of it came, or what is missing will be told by its length.
                Ok(0) => self.at < self.size,
                Ok(_) => false,
                Err(error) => match error.get_ref() {
                    // The client has tried as often as it makes sense.
                    Some(why) if why.is::<RegistryError>() => false,
                    Some(why) => why.downcast_ref::<ureq::Error>().is_none_or(is_passing),
                    None => true,
                },
            };
            if !broken || self.broken >= TRIES {
                if let Ok(count) = read {
                    self.at = self.at.saturating_add(count as u64);
                    self.broken = 0;
                }
                return read;
            }
            self.body = None;
            self.broken += 1;
            wait(self.broken);
        }
    }
}
