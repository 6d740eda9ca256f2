//! Server-sent events: the same events however the network cuts the bytes, and none beyond the limit.

use rulegate::text::sse::{SseDecoder, write_event};

use super::pieces;

type Event = (Option<String>, Vec<u8>, bool);

/// The first byte sets the limit; the rest is the stream.
pub fn run(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else { return };
    let limit = usize::from(*first) * 4 + 1;
    let (whole, whole_ended) = decoded(limit, [stream]);
    let (cut, cut_ended) = decoded(limit, pieces(stream));
    let (bytes, bytes_ended) = decoded(limit, stream.chunks(1));
    assert_eq!((&whole, whole_ended), (&cut, cut_ended), "in pieces");
    assert_eq!((&whole, whole_ended), (&bytes, bytes_ended), "byte by byte");
    for (name, data, _) in &whole {
        assert!(data.len() <= limit, "an event of {} bytes", data.len());
        let mut written = Vec::new();
        write_event(&mut written, name.as_deref(), data);
        let (read, _) = decoded(usize::MAX, [&*written]);
        let [(again, read, false)] = &*read else { panic!("one event is written as {read:?}") };
        assert_eq!((again, read), (name, data), "an event that is written reads the same");
    }
}

/// All events, and whether the stream came to its end within the limit.
fn decoded<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    let mut decoder = SseDecoder::new(limit);
    let mut each = |event: rulegate::text::sse::SseEvent<'_>| {
        events.push((event.name.map(str::to_owned), event.data.to_vec(), event.partial));
    };
    let good = pieces.into_iter().all(|piece| decoder.push(piece, &mut each).is_ok());
    let ended = decoder.finish(&mut each).is_ok();
    assert!(good || !ended, "a stream that was too long does not end well");
    (events, ended)
}
