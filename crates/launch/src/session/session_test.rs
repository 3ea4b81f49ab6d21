use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use illico_protocol::{Reader, STDIN_WINDOW, WindowSize};

use super::output::Sink;
use super::*;

/// A session with the test as its agent, and the ends of its pipes.
struct Scene {
    agent: Reader<UnixStream>,
    outbox: Outbox,
    stdout: File,
    stderr: File,
    stdin: File,
    session: JoinHandle<Result<Ending, Broken>>,
    begun: Arc<AtomicBool>,
}

fn pipe() -> (File, OwnedFd) {
    let (read, write) = io::pipe().unwrap();
    (File::from(OwnedFd::from(read)), write.into())
}

fn scene() -> Scene {
    let (host, agent) = UnixStream::pair().unwrap();
    let (outbox, waiting) = outbox();
    let ((stdout, out), (stderr, err), (input, stdin)) = (pipe(), pipe(), pipe());
    let sinks = Sinks::Apart { stdout: Sink::new(out), stderr: Sink::new(err) };
    let theirs = outbox.clone();
    let begun = Arc::new(AtomicBool::new(false));
    let begins = Arc::clone(&begun);
    let session = thread::spawn(move || {
        let begun = || begins.store(true, Ordering::SeqCst);
        carry(|| Ok(host), waiting, &theirs, Some(Input::new(input.into())), sinks, begun)
    });
    Scene { agent: Reader::new(agent), outbox, stdout, stderr, stdin: stdin.into(), session, begun }
}

impl Scene {
    /// Says something as the agent.
    fn say(&mut self, frames: &[Frame<'_>]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes).unwrap());
        let mut stream = self.agent.get_ref();
        stream.write_all(&bytes).unwrap();
    }

    fn greet(&mut self) {
        let mut stream = self.agent.get_ref();
        stream.write_all(&HELLO).unwrap();
    }

    fn hear(&mut self) -> String {
        format!("{:?}", self.agent.read().unwrap())
    }

    fn end(self) -> (Result<Ending, Broken>, String, String) {
        let ending = self.session.join().unwrap();
        let text = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        };
        (ending, text(self.stdout), text(self.stderr))
    }
}

#[test]
fn output_comes_out_on_its_own_stream_and_the_end_is_the_status() {
    let mut scene = scene();
    scene.greet();
    scene.say(&[Frame::Stdout(b"one "), Frame::Stderr(b"two"), Frame::Stdout(b"three"), Frame::End(Ending::Exited(3))]);
    let (ending, stdout, stderr) = scene.end();
    assert_eq!((ending.unwrap(), stdout.as_str(), stderr.as_str()), (Ending::Exited(3), "one three", "two"));
}

#[test]
fn input_arrives_as_it_is_typed_and_its_end_is_told() {
    let mut scene = scene();
    scene.greet();
    scene.stdin.write_all(b"hello").unwrap();
    assert_eq!(scene.hear(), format!("{:?}", Some(Frame::Stdin(b"hello"))));
    scene.say(&[Frame::Taken(5)]);
    drop(std::mem::replace(&mut scene.stdin, File::open("/dev/null").unwrap()));
    assert_eq!(scene.hear(), "Some(StdinEnd)");
}

#[test]
fn a_command_that_does_not_read_holds_up_its_input_and_nothing_else() {
    let mut scene = scene();
    scene.greet();
    let mut stdin = scene.stdin.try_clone().unwrap();
    let all = STDIN_WINDOW as usize + 10;
    let typed = thread::spawn(move || stdin.write_all(&vec![b'x'; all]));
    let mut came = 0;
    while came < STDIN_WINDOW as usize {
        match scene.agent.read().unwrap() {
            Some(Frame::Stdin(data)) => came += data.len(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(came, STDIN_WINDOW as usize);
    scene.outbox.send(&Frame::Signal(15)).unwrap();
    scene.outbox.send(&Frame::Resize(WindowSize { rows: 24, columns: 80 })).unwrap();
    assert_eq!(scene.hear(), "Some(Signal(15))");
    assert!(scene.hear().starts_with("Some(Resize("));
    scene.say(&[Frame::Taken(STDIN_WINDOW)]);
    assert_eq!(scene.hear(), format!("{:?}", Some(Frame::Stdin(&[b'x'; 10]))));
    typed.join().unwrap().unwrap();
}

#[test]
fn what_was_put_into_the_outbox_before_the_guest_was_there_comes_first() {
    let (host, agent) = UnixStream::pair().unwrap();
    let (outbox, waiting) = outbox();
    outbox.send(&Frame::Signal(2)).unwrap();
    let ((_, out), (_, err)) = (pipe(), pipe());
    let sinks = Sinks::Apart { stdout: Sink::new(out), stderr: Sink::new(err) };
    let session = thread::spawn(move || carry(|| Ok(host), waiting, &outbox, None, sinks, || ()));
    let mut agent = Reader::new(agent);
    assert_eq!(agent.read().unwrap(), Some(Frame::Signal(2)));
    drop(agent);
    assert!(matches!(session.join().unwrap(), Err(Broken::Gone)));
}

#[test]
fn a_reader_that_left_is_told_to_the_command_once_and_the_rest_goes_on() {
    let mut scene = scene();
    scene.greet();
    drop(std::mem::replace(&mut scene.stdout, File::open("/dev/null").unwrap()));
    scene.say(&[Frame::Stdout(b"lost"), Frame::Stdout(b"too"), Frame::Stderr(b"kept"), Frame::End(Ending::DONE)]);
    assert_eq!(scene.hear(), "Some(Closed(Stdout))");
    let (ending, _, stderr) = scene.end();
    assert_eq!((ending.unwrap(), stderr.as_str()), (Ending::DONE, "kept"));
}

#[test]
fn a_command_has_begun_once_the_agent_says_so() {
    for (says, begins) in [
        (vec![Frame::Started], true),
        (vec![Frame::Started, Frame::Stdout(b"hello")], true),
        (vec![Frame::End(Ending::NotFound("nosuch: No such file or directory".to_owned()))], false),
    ] {
        let mut scene = scene();
        let mut bytes = HELLO.to_vec();
        says.iter().for_each(|frame| frame.encode(&mut bytes).unwrap());
        scene.agent.get_ref().write_all(&bytes).unwrap();
        let begun = Arc::clone(&scene.begun);
        if begins {
            while !begun.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            scene.say(&[Frame::End(Ending::DONE)]);
        }
        let (ending, ..) = scene.end();
        assert_eq!((ending.unwrap().status(), begun.load(Ordering::SeqCst)), (if begins { 0 } else { 127 }, begins));
    }
}

#[test]
fn a_greeting_is_no_beginning_whatever_comes_in_the_next_packet() {
    let mut scene = scene();
    scene.greet();
    // Read by itself: the answer to a signal comes only after that.
    scene.outbox.send(&Frame::Signal(1)).unwrap();
    scene.hear();
    thread::sleep(std::time::Duration::from_millis(50));
    scene.say(&[Frame::End(Ending::NotFound("nosuch: command not found".to_owned()))]);
    let begun = Arc::clone(&scene.begun);
    assert_eq!((scene.end().0.unwrap().status(), begun.load(Ordering::SeqCst)), (127, false));
}

#[test]
fn a_command_that_ends_with_the_first_words_has_begun() {
    let mut words = HELLO.to_vec();
    [Frame::Started, Frame::End(Ending::Exited(3))].iter().for_each(|frame| frame.encode(&mut words).unwrap());
    let scene = scene();
    scene.agent.get_ref().write_all(&words).unwrap();
    let begun = Arc::clone(&scene.begun);
    assert_eq!((scene.end().0.unwrap(), begun.load(Ordering::SeqCst)), (Ending::Exited(3), true));
}

#[test]
fn an_agent_that_breaks_the_protocol_or_leaves_is_no_ending() {
    for (says, gone) in [
        (b"".as_slice(), true),
        (&HELLO, true),
        (b"HTTP/1.1 200 OK\r\n", false),
        // Of a frame, half.
        (&[&HELLO[..], &[4, 9, 0, 0, 0, b'x']].concat(), true),
        // Took what it never got; and what only a host may say.
        (&[&HELLO[..], &[9, 4, 0, 0, 0, 1, 0, 0, 0]].concat(), false),
        (&[&HELLO[..], &[7, 1, 0, 0, 0, 9]].concat(), false),
        // Started twice.
        (&[&HELLO[..], &[14, 0, 0, 0, 0, 14, 0, 0, 0, 0]].concat(), false),
    ] {
        let scene = scene();
        let mut stream = scene.agent.get_ref();
        stream.write_all(says).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let ending = scene.session.join().unwrap();
        assert_eq!(matches!(ending, Err(Broken::Gone)), gone, "{says:?}: {ending:?}");
        assert!(ending.is_err());
    }
}
