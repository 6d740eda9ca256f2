use proptest::prelude::*;

use super::*;

type Owned = (Option<String>, Vec<u8>, bool);

fn owned(event: SseEvent<'_>) -> Owned {
    (event.name.map(str::to_owned), event.data.to_vec(), event.partial)
}

/// Decodes `stream`, cut at `cuts`.
fn decode(stream: &[u8], cuts: &[usize]) -> Vec<Owned> {
    let mut events = Vec::new();
    let mut decoder = SseDecoder::new(1 << 20);
    let mut each = |event: SseEvent<'_>| events.push(owned(event));
    let mut from = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        decoder.push(&stream[from..cut], &mut each).unwrap();
        from = cut;
    }
    decoder.finish(&mut each).unwrap();
    events
}

fn event(name: Option<&str>, data: &str, partial: bool) -> Owned {
    (name.map(str::to_owned), data.as_bytes().to_vec(), partial)
}

#[test]
fn streams_are_read_as_events() {
    let cases: &[(&str, Vec<Owned>)] = &[
        ("data: a\n\n", vec![event(None, "a", false)]),
        ("data:a\r\n\r\ndata:  b\r\r", vec![event(None, "a", false), event(None, " b", false)]),
        ("event: ping\ndata\n\n", vec![event(Some("ping"), "", false)]),
        ("event: lost\n\ndata: x\n\n", vec![event(None, "x", false)]),
        ("error: {\"code\":500}\n\n", vec![event(Some("error"), "{\"code\":500}", false)]),
        (
            "event: own\nerror: x\n\ndata: y\n\n",
            vec![event(Some("own"), "x", false), event(None, "y", false)],
        ),
        ("\u{feff}data: 1\ndata: 2\nid: 7\nretry: 5\n\n", vec![event(None, "1\n2", false)]),
        (": hello\n\n: world\n\n\n\n", vec![]),
        ("data: {\"cut\"", vec![event(None, "{\"cut\"", true)]),
        ("data: whole line\n", vec![event(None, "whole line", true)]),
        ("event: error\nda", vec![]),
        ("", vec![]),
    ];
    for (stream, expected) in cases {
        assert_eq!(&decode(stream.as_bytes(), &[]), expected, "{stream:?}");
    }
}

#[test]
fn an_event_leaves_with_the_first_byte_that_ends_it() {
    let mut count = 0;
    let mut decoder = SseDecoder::new(100);
    decoder.push(b"data: x\r\n\r", &mut |_| count += 1).unwrap();
    assert_eq!(count, 1);
}

#[test]
fn comments_are_signs_of_life() {
    let mut decoder = SseDecoder::new(100);
    decoder.push(b": waiting\n\n:\n", &mut |_| panic!("no event")).unwrap();
    assert_eq!(decoder.comments(), 2);
}

#[test]
fn what_is_too_long_is_an_error_and_stays_one() {
    for stream in [&b"data: 0123456789 and more"[..], b"data: 01234567\ndata: 01234567\n\n"] {
        let mut decoder = SseDecoder::new(16);
        let each = &mut |_: SseEvent<'_>| panic!("no event");
        assert_eq!(decoder.push(stream, each), Err(SseTooLong { limit: 16 }));
        assert!(decoder.push(b"\n\ndata: x\n\n", each).is_err());
        assert!(decoder.finish(each).is_err());
    }
}

proptest! {
    #[test]
    fn cuts_do_not_matter(stream in "(data|event|:|: |a|é|\n|\r|\r\n|\u{feff}){0,40}", cuts in prop::collection::vec(0usize..200, 0..20)) {
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= stream.len()).collect();
        cuts.sort_unstable();
        prop_assert_eq!(decode(stream.as_bytes(), &cuts), decode(stream.as_bytes(), &[]));
    }

    #[test]
    fn what_is_written_is_read_back(name in "[a-z_.]{0,5}", data in "[a-z\n\r é:]{0,30}") {
        let mut out = Vec::new();
        write_event(&mut out, (!name.is_empty()).then_some(name.as_str()), data.as_bytes());
        let data = data.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(decode(&out, &[]), vec![event((!name.is_empty()).then_some(&*name), &data, false)]);
    }
}
