//! One request after the other: its header is read and checked, what is asked for is done, and the reply written
//! (VirtIO 1.3 § 5.11.6.1). The data of READ and WRITE stays where it is.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::sync::Arc;

use illico_memory::{Buffers, Ram, Short};
use rustix::io::Errno;
use zerocopy::{FromBytes, IntoBytes};

use crate::chain::Chain;

use super::passthrough::{Answer, Detail, Passthrough, Share};
use super::protocol::*;
use super::request::{MAX_REQUEST, Request, parse};
use super::spec::Cache;

/// Bytes of data that one READ or WRITE moves at most.
pub const MAX_WRITE: u32 = 1 << 20;
const MAX_PAGES: u16 = 256;

/// Bytes of entries that one READDIR gives at most.
const MAX_LIST: u32 = 64 << 10;

/// Serves the requests of one guest.
#[derive(Debug)]
pub struct Server {
    share: Arc<Share>,
    files: Passthrough,
    /// A request's bytes behind the header, and a reply's: kept so that a request allocates nothing.
    body: Vec<u8>,
    reply: Vec<u8>,
    /// Where data goes or comes from.
    data: Buffers,
    /// Room that a request did not ask to be filled.
    beyond: Buffers,
}

/// A request that no reply can be given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// Less than a header of a request.
    #[error("a request of {0} bytes, which has no header")]
    NoHeader(usize),
    /// No room for the header of a reply.
    #[error("a request (operation {opcode}) with room for {room} bytes of reply")]
    NoRoom {
        /// What was asked for.
        opcode: u32,
        /// How much room there is.
        room: usize,
    },
}

/// What a request comes to.
enum Done {
    /// A reply of what is in `reply`.
    Reply,
    /// As many bytes of data are in place behind the header.
    Data(usize),
    /// Nothing is answered to it.
    Silent,
}

impl Server {
    /// A server of a share for a guest that knows nothing of it yet.
    pub fn new(share: Arc<Share>, ram: &Ram) -> Result<Self, Errno> {
        Ok(Self {
            files: Passthrough::new(Arc::clone(&share))?,
            share,
            body: Vec::new(),
            reply: Vec::new(),
            data: Buffers::new(ram.clone()),
            beyond: Buffers::new(ram.clone()),
        })
    }

    /// Serves the request in `chain` and writes the reply. Gives the bytes that were written.
    pub fn serve(&mut self, chain: &mut Chain) -> Result<u32, Unanswerable> {
        let mut bytes = [0; size_of::<InHeader>()];
        let length = chain.readable.len();
        let header = chain.readable.copy_to(0, &mut bytes).ok().and_then(|()| InHeader::read_from_bytes(&bytes).ok());
        let header = header.ok_or(Unanswerable::NoHeader(length))?;
        let room = chain.writable.len();
        let opcode = header.opcode;
        let silent = matches!(opcode, opcode::FORGET | opcode::BATCH_FORGET);
        if room < OUT_HEADER && !silent {
            return Err(Unanswerable::NoRoom { opcode, room });
        }
        self.reply.clear();
        let done = self.answer(header, chain);
        let (error, payload) = match done {
            Ok(Done::Silent) => return Ok(0),
            Ok(Done::Reply) if self.reply.len() <= room.saturating_sub(OUT_HEADER) => (0, self.reply.len()),
            // A guest that asks for something and leaves no room for it.
            Ok(Done::Reply) => (Errno::OVERFLOW.raw_os_error(), 0),
            Ok(Done::Data(count)) => (0, count),
            Err(_) if silent => return Ok(0),
            Err(errno) => (errno.raw_os_error(), 0),
        };
        // Both are bounded by the chain, whose length fits.
        let len = u32::try_from(OUT_HEADER.saturating_add(payload)).unwrap_or(u32::MAX);
        let head = OutHeader { len, error: error.saturating_neg(), unique: header.unique };
        let room = |_: Short| Unanswerable::NoRoom { opcode, room };
        if let Some(payload) = self.reply.get(..payload).filter(|_| error == 0) {
            chain.writable.copy_from(OUT_HEADER, payload).map_err(room)?;
        }
        chain.writable.copy_from(0, head.as_bytes()).map_err(room)?;
        Ok(len)
    }

    fn answer(&mut self, header: InHeader, chain: &mut Chain) -> Result<Done, Errno> {
        // What the header says and what there is may differ; less of both is what counts.
        let said = usize::try_from(header.len).map_err(|_| Errno::INVAL)?;
        let length = said.min(chain.readable.len()).checked_sub(size_of::<InHeader>()).ok_or(Errno::INVAL)?;
        // Data is left where it is.
        let copied = if header.opcode == opcode::WRITE { length.min(size_of::<WriteIn>()) } else { length };
        if copied > MAX_REQUEST {
            return Err(Errno::INVAL);
        }
        let mut body = std::mem::take(&mut self.body);
        body.resize(copied, 0);
        let done = match chain.readable.copy_to(size_of::<InHeader>(), &mut body) {
            Ok(()) => parse(header.opcode, &body).and_then(|request| self.carry_out(header.nodeid, &request, chain)),
            Err(_) => Err(Errno::INVAL),
        };
        self.body = body;
        done
    }

    fn carry_out(&mut self, node: u64, request: &Request<'_>, chain: &mut Chain) -> Result<Done, Errno> {
        if self.share.readonly && request.changes() {
            return Err(Errno::ROFS);
        }
        let files = &mut self.files;
        match *request {
            Request::Init(asked) => {
                let answer = self.init(asked)?;
                self.put(&answer);
            }
            Request::Destroy => self.files = Passthrough::new(Arc::clone(&self.share))?,
            Request::Lookup(name) => {
                let entry = files.look_up(node, name)?;
                self.put(&entry);
            }
            Request::Forget(count) => {
                files.forget(node, count);
                return Ok(Done::Silent);
            }
            Request::BatchForget(list) => {
                for one in list.chunks_exact(size_of::<ForgetOne>()) {
                    if let Ok(ForgetOne { nodeid, nlookup }) = ForgetOne::read_from_bytes(one) {
                        files.forget(nodeid, nlookup);
                    }
                }
                return Ok(Done::Silent);
            }
            Request::Getattr => {
                let attributes = files.attributes(node)?;
                self.put(&attributes);
            }
            Request::Statx => {
                let attributes = files.extended_attributes(node)?;
                self.put(&attributes);
            }
            Request::Setattr(asked) => {
                let attributes = files.set_attributes(node, asked)?;
                self.put(&attributes);
            }
            Request::Readlink => self.reply = files.read_link(node)?,
            Request::Symlink(name, text) => {
                let entry = files.make_link(node, name, text)?;
                self.put(&entry);
            }
            Request::Mknod(asked, name) => {
                let entry = files.make_node(node, name, asked.mode)?;
                self.put(&entry);
            }
            Request::Mkdir(asked, name) => {
                let entry = files.make_folder(node, name, asked.mode)?;
                self.put(&entry);
            }
            Request::Unlink(name) => files.remove(node, name)?,
            Request::Rmdir(name) => files.remove_folder(node, name)?,
            Request::Rename { name, to, to_name, flags } => files.rename((node, name), (to, to_name), flags)?,
            Request::Link(old, name) => {
                let entry = files.link(old, node, name)?;
                self.put(&entry);
            }
            Request::Open(asked) => {
                let opened = files.open_file(node, asked)?;
                self.put(&opened);
            }
            Request::Create(asked, name) => {
                let (entry, opened) = files.create(node, name, asked)?;
                self.put(&entry);
                self.put(&opened);
            }
            Request::Read(asked) => {
                self.room_for(asked.size.min(MAX_WRITE), chain)?;
                return Ok(Done::Data(self.files.read(node, asked, &mut self.data)?));
            }
            Request::Write(asked) => {
                let written = self.write(node, asked, chain)?;
                self.put(&WriteOut { size: written, padding: 0 });
            }
            Request::Release(fh) => files.release_file(node, fh)?,
            Request::Fsync(asked) | Request::Fsyncdir(asked) => files.sync(node, asked)?,
            Request::Opendir => {
                let opened = files.open_folder(node)?;
                self.put(&opened);
            }
            Request::Readdir(asked) => self.list(node, asked, Detail::Name, chain)?,
            Request::Readdirplus(asked) => self.list(node, asked, Detail::Node, chain)?,
            Request::Releasedir(fh) => files.release_folder(node, fh)?,
            Request::Statfs => {
                let statistics = files.statistics(node)?;
                self.put(&statistics);
            }
            Request::Getxattr(name, room) => {
                let answer = files.attribute(node, name, room)?;
                self.put_answer(answer);
            }
            Request::Listxattr(room) => {
                let answer = files.attribute_names(node, room)?;
                self.put_answer(answer);
            }
            Request::Setxattr(name, value, flags) => files.set_attribute(node, name, value, flags)?,
            Request::Removexattr(name) => files.remove_attribute(node, name)?,
            Request::Fallocate(asked) => files.allocate(node, asked)?,
            Request::Lseek(asked) => {
                let found = files.seek(node, asked)?;
                self.put(&found);
            }
            Request::CopyFileRange(asked) => {
                let copied = files.copy(node, asked)?;
                self.put(&WriteOut { size: u32::try_from(copied).unwrap_or(u32::MAX), padding: 0 });
            }
        }
        Ok(Done::Reply)
    }

    /// The features that both sides have. A guest that begins anew knows nothing any more.
    fn init(&mut self, asked: InitIn) -> Result<InitOut, Errno> {
        if asked.major < MAJOR || asked.major == MAJOR && asked.minor < OLDEST_MINOR {
            return Err(Errno::PROTO);
        }
        self.files = Passthrough::new(Arc::clone(&self.share))?;
        let mut offered = flag::ASYNC_READ
            | flag::ATOMIC_O_TRUNC
            | flag::BIG_WRITES
            | flag::DO_READDIRPLUS
            | flag::ASYNC_DIO
            | flag::PARALLEL_DIROPS
            | flag::MAX_PAGES
            | flag::CACHE_SYMLINKS
            | flag::HANDLE_KILLPRIV_V2;
        if self.share.cache == Cache::Auto {
            offered |= flag::AUTO_INVAL_DATA;
        }
        // With nothing to write there is nothing that an open file could know and its node does not.
        let without = flag::NO_OPEN_SUPPORT | flag::NO_OPENDIR_SUPPORT;
        if self.share.readonly && asked.flags & without == without {
            offered |= without;
            self.files.open_nothing();
        }
        Ok(InitOut {
            major: MAJOR,
            // A newer driver keeps to this version, and an older one is answered in its own.
            minor: MINOR,
            max_readahead: asked.max_readahead,
            flags: asked.flags & offered,
            max_background: 64,
            congestion_threshold: 48,
            max_write: MAX_WRITE,
            time_gran: 1,
            max_pages: MAX_PAGES,
            ..InitOut::default()
        })
    }

    fn put(&mut self, value: &(impl IntoBytes + zerocopy::Immutable)) {
        self.reply.extend_from_slice(value.as_bytes());
    }

    fn put_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Bytes(bytes) => self.reply = bytes,
            Answer::Size(size) => self.put(&GetxattrOut { size, padding: 0 }),
        }
    }

    /// Makes `data` the room for `size` bytes behind the reply's header, or for as many as there are.
    fn room_for(&mut self, size: u32, chain: &mut Chain) -> Result<(), Errno> {
        self.data.clear();
        self.beyond.clear();
        let cut = |_: Short| Errno::INVAL;
        chain.writable.split_off(OUT_HEADER, &mut self.data).map_err(cut)?;
        let size = usize::try_from(size).map_err(|_| Errno::INVAL)?;
        if size < self.data.len() {
            self.data.split_off(size, &mut self.beyond).map_err(cut)?;
        }
        Ok(())
    }

    fn write(&mut self, node: u64, asked: WriteIn, chain: &mut Chain) -> Result<u32, Errno> {
        self.data.clear();
        self.beyond.clear();
        let size = usize::try_from(asked.size.min(MAX_WRITE)).map_err(|_| Errno::INVAL)?;
        let cut = |_: Short| Errno::INVAL;
        let start = size_of::<InHeader>().saturating_add(size_of::<WriteIn>());
        chain.readable.split_off(start, &mut self.data).map_err(cut)?;
        if size > self.data.len() {
            return Err(Errno::INVAL);
        }
        self.data.split_off(size, &mut self.beyond).map_err(cut)?;
        let written = self.files.write(node, asked, &mut self.data)?;
        u32::try_from(written).map_err(|_| Errno::INVAL)
    }

    fn list(&mut self, node: u64, asked: ReadIn, detail: Detail, chain: &Chain) -> Result<(), Errno> {
        let room = chain.writable.len().saturating_sub(OUT_HEADER);
        let room = usize::try_from(asked.size.min(MAX_LIST)).map_err(|_| Errno::INVAL)?.min(room);
        self.files.list(node, asked, detail, room, &mut self.reply)
    }
}
