//! The decoder of compressed bodies by itself: however the bytes are cut, broken or blown up.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, HeaderValue};
use proptest::prelude::*;
use rulegate::edge::compression::{Coding, Decoder, Next, Undecodable};

use crate::support::coding::{CODED, KINDS, Kind, WIDE_BROTLI, WIDE_ZSTD, bomb, flushed, packed};

/// No test has more to decode than this.
const MOST: usize = 64 << 20;

fn decoder(lines: &[&'static str]) -> Option<Decoder> {
    let lines = lines.iter().map(|line| (CONTENT_ENCODING, HeaderValue::from_static(line)));
    let mut headers = HeaderMap::new();
    headers.extend(lines);
    Decoder::of(&headers)
}

/// Adds what there is now to what there was.
fn drain(decoder: &mut Decoder, all: &mut Vec<u8>) -> Result<(), Undecodable> {
    let mut this_turn = 0;
    while all.len() <= MOST {
        match decoder.decode()? {
            Next::Piece(piece) => {
                assert!((1..=32 << 10).contains(&piece.len()), "a piece of {} bytes", piece.len());
                this_turn += piece.len();
                assert!(this_turn <= 300 << 10, "a turn of {this_turn} bytes");
                all.extend_from_slice(&piece);
            }
            Next::Later => this_turn = 0,
            Next::Hungry => break,
        }
    }
    Ok(())
}

/// All that comes of these bytes, and how it ended.
fn decoded<'a>(
    lines: &[&'static str],
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Result<(), Undecodable>) {
    let mut decoder = decoder(lines).expect("it is compressed");
    let mut all = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        if let Err(error) = drain(&mut decoder, &mut all) {
            return (all, Err(error));
        }
    }
    let ended = decoder.finish();
    (all, ended)
}

/// Cuts bytes into pieces of these sizes, again and again.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    pieces
}

/// Parts of a body: some that shrink and some that do not.
fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let part = (prop::collection::vec(any::<u8>(), 0..600), 1..200usize);
    prop::collection::vec(part.prop_map(|(bytes, times)| bytes.repeat(times)), 1..5)
}

fn coded() -> impl Strategy<Value = (&'static [&'static str], &'static [Kind])> {
    prop::sample::select(&CODED[..CODED.len() - 1])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_body_is_the_same_however_it_is_cut(
        (lines, kinds) in coded(),
        parts in parts(),
        sizes in prop::collection::vec(1..3000usize, 1..6),
    ) {
        let whole = flushed(kinds, &parts).concat();
        let (all, ended) = decoded(lines, cut(&whole, &sizes));
        prop_assert_eq!(ended, Ok(()));
        prop_assert!(all == parts.concat());
    }

    #[test]
    fn what_is_cut_changed_or_goes_on_is_never_taken_for_whole(
        (lines, kinds) in coded(),
        parts in parts(),
        at in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1..3000usize, 1..3),
    ) {
        let (body, whole) = (parts.concat(), flushed(kinds, &parts).concat());
        let at = at.index(whole.len());

        let (all, ended) = decoded(lines, cut(&whole[..at], &sizes));
        prop_assert!(body.starts_with(&all) && (ended.is_err() || at == 0), "{} of {}", at, whole.len());

        let longer = [&whole[..], b"junk"].concat();
        prop_assert!(decoded(lines, cut(&longer, &sizes)).1.is_err());

        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        let (all, ended) = decoded(lines, cut(&changed, &sizes));
        let has_sum = matches!(kinds, [Kind::Gzip] | [Kind::Zlib]);
        prop_assert!(!has_sum || ended.is_err() || all == body);
    }
}

#[test]
fn each_part_can_be_read_as_soon_as_it_has_come() {
    let parts: Vec<String> = (0..20).map(|at| format!("data: {{\"event\":{at}}}\n\n")).collect();
    for (lines, kinds) in &CODED[..CODED.len() - 1] {
        let (mut decoder, mut all) = (decoder(lines).unwrap(), Vec::new());
        for (at, bytes) in flushed(kinds, &parts).into_iter().enumerate() {
            decoder.push(bytes.into());
            drain(&mut decoder, &mut all).unwrap();
            assert_eq!(String::from_utf8_lossy(&all), parts[..=at].concat(), "{lines:?}");
        }
        assert_eq!(decoder.finish(), Ok(()), "{lines:?}");
    }
}

#[test]
fn several_in_a_row_are_one_body_where_the_coding_says_so() {
    for (name, kind) in [("gzip", Kind::Gzip), ("zstd", Kind::Zstd)] {
        let both = [packed(&[kind], "one, "), packed(&[kind], ""), packed(&[kind], "two")].concat();
        for size in [1, 7, both.len()] {
            assert_eq!(decoded(&[name], both.chunks(size)), (b"one, two".to_vec(), Ok(())), "{name}");
        }
    }
}

#[test]
fn no_bytes_are_an_empty_body_and_no_coding_is_no_decoder() {
    for lines in [&["gzip"][..], &["br", "zstd"], &["nonsense"], &["gzip,gzip,gzip,gzip,gzip"]] {
        assert_eq!(decoded(lines, [&b""[..]]), (Vec::new(), Ok(())), "{lines:?}");
    }
    for lines in [&[][..], &["identity"], &["", " , "], &["Identity, identity", "identity"]] {
        assert!(decoder(lines).is_none(), "{lines:?}");
    }
}

#[test]
fn what_is_not_supported_is_told_by_its_name() {
    let table = [
        (&["gzip, compress"][..], Undecodable::Unknown("compress".to_owned())),
        (&["gzip", "\tsnappy\t,"], Undecodable::Unknown("snappy".to_owned())),
        (&["gzip, gzip", "gzip, br, zstd"], Undecodable::Many),
    ];
    for (lines, error) in table {
        assert_eq!(decoder(lines).unwrap().unsupported(), Some(&error));
        assert_eq!(decoded(lines, [&b"x"[..]]), (Vec::new(), Err(error)));
    }
}

#[test]
fn windows_larger_than_a_coding_allows_are_refused() {
    let zstd = decoded(&["zstd"], [WIDE_ZSTD]).1;
    assert!(matches!(zstd, Err(Undecodable::Broken(Coding::Zstd, _))), "{zstd:?}");
    let brotli = decoded(&["br"], [WIDE_BROTLI]).1;
    assert!(matches!(brotli, Err(Undecodable::Broken(Coding::Brotli, _))), "{brotli:?}");
}

#[test]
fn a_bomb_comes_in_small_pieces_with_turns_for_others() {
    for (name, kind) in ["gzip", "deflate", "deflate", "br", "zstd"].into_iter().zip(KINDS) {
        let bomb = bomb(kind, 16);
        let (all, ended) = decoded(&[name], [&bomb[..]]);
        assert_eq!((all.len(), ended), (16 << 20, Ok(())), "{kind:?}: {} bytes", bomb.len());
    }
}

#[test]
fn codings_that_blow_up_what_is_between_them_are_given_up() {
    // Blocks of nothing: the inner coding can read them for ever.
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(4 << 20);
    for kind in KINDS {
        let name = match kind {
            Kind::Gzip => "deflate, gzip",
            Kind::Zlib | Kind::Raw => "deflate, deflate",
            Kind::Brotli => "deflate, br",
            Kind::Zstd => "deflate, zstd",
        };
        let (all, ended) = decoded(&[name], [&packed(&[kind], &nothing)[..]]);
        assert_eq!((all.len(), ended), (0, Err(Undecodable::Hollow)), "{name}");
    }
}
