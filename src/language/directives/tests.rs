//! The table's examples are its tests.

use super::{Example, all};
use crate::language::compile::Compiler;
use crate::language::matchers::MATCHERS;
use crate::language::scope::{Env, Scope};
use crate::language::template::Template;
use crate::language::value::Val;
use crate::text::diagnostic::{Diagnostics, FileId};
use crate::text::json::Doc;
use crate::text::yaml;

/// What `template` writes for the document `input`.
fn run(template: &str, input: &str) -> Result<Option<String>, String> {
    give(&compile(template)?, template, input)
}

fn compile(template: &str) -> Result<Template, String> {
    let scope = Scope::new(&[""]);
    let mut diags = Diagnostics::default();
    let node = yaml::parse(FileId(0), template).map_err(|error| error.message)?;
    let compiled = Compiler::new(&scope, &mut diags).template(&node);
    compiled.ok_or_else(|| {
        diags.iter().map(|d| format!("{} ({})", d.message, d.help.join("; "))).collect::<Vec<_>>().join("\n")
    })
}

/// What it writes for `input`, that evaluating it comes to the same, and that what is known of its needs is right.
fn give(compiled: &Template, template: &str, input: &str) -> Result<Option<String>, String> {
    let doc = Doc::parse(input.as_bytes().to_vec()).unwrap();
    let mut env = Env::new(1);
    env.set(0, Val::Json(doc.root()));
    let mut out = Vec::new();
    let gave = compiled.write(&mut env, &mut out).map_err(|fail| fail.message.clone())?;
    let value = compiled.value(&mut env).map_err(|fail| fail.message.clone())?;
    let mut again = Vec::new();
    // Whether a template is written or evaluated, it must come to the same.
    assert_eq!((value.write_any(&mut again), &again), (gave, &out), "{template} written and evaluated");
    assert!(
        !gave || compiled.needs().may_be(&env),
        "{template} gives what it should need more for, over {input}"
    );
    Ok(gave.then(|| String::from_utf8(out).unwrap()))
}

#[test]
fn every_example_gives_what_it_says() {
    for directive in all() {
        for Example { template, input, output } in directive.examples {
            let gave = run(template, input).unwrap_or_else(|error| panic!("{template}: {error}"));
            assert_eq!(gave.as_deref(), *output, "{template} over {input}");
        }
    }
}

/// `run` holds writing against evaluating. Here for every example's template over every example's document, in the
/// places where templates stand.
#[test]
fn a_template_evaluated_reads_as_it_is_written() {
    let examples = || all().flat_map(|directive| directive.examples);
    let mut documents: Vec<&str> = examples().map(|example| example.input).collect();
    documents.sort_unstable();
    documents.dedup();
    let templates: Vec<&str> = examples().map(|example| example.template).collect();
    let mut gave = 0;
    for (at, template) in templates.iter().enumerate() {
        let other = templates[(at * 7 + 3) % templates.len()];
        for template in [
            (*template).to_owned(),
            format!("[ {template}, {other}, {{ k: {template}, l: {other} }} ]"),
            format!("{{ $first: [ {template}, {other} ] }}"),
            format!("{{ $if: $.a, $then: {template}, $else: {other} }}"),
            format!("{{ $join: [ {template}, {other} ], $by: '' }}"),
            format!("{{ $let: {{ zz: {template} }}, $in: [ $zz, {{ $flat: [ {other}, $zz ] }} ] }}"),
            format!("{{ $for: $.a, $as: zz, $emit: [ $zz, {template} ] }}"),
        ] {
            let compiled = compile(&template).unwrap_or_else(|error| panic!("{template}: {error}"));
            for document in &documents {
                gave +=
                    usize::from(give(&compiled, &template, document).is_ok_and(|output| output.is_some()));
            }
        }
    }
    assert!(gave > 10_000, "{gave} gave something");
}

/// A loop that only selects gives a list of what it selected; any other writes one. Nobody should see a difference.
#[test]
fn a_list_that_was_not_written_reads_as_one_that_was() {
    let documents = [
        r#"{"a":[1,"x",{"k":"x"},[2,3],true],"b":"x"}"#,
        r#"{"a":["x"],"b":["x"]}"#,
        r#"{"a":[null,"y",null,{"k":null}],"b":"z"}"#,
        r#"{"a":[{"k":[1,{"k":"x"}]},"",0,false,"x\u0041"],"b":"xA"}"#,
        r#"{"a":[],"b":[]}"#,
        r#"{"a":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,"x"],"b":"x"}"#,
    ];
    let uses = [
        "$l",
        "[ 0, $l, { k: $l } ]",
        "[ { $flat: $l } ]",
        "'{$l}'",
        "$l[0]",
        "$l[-1].k",
        "[ '$l[*].k' ]",
        "{ $join: $l, $by: '-' }",
        "{ $join: [ $l, $l ], $by: '-' }",
        "{ $count: $l }",
        "{ $last: $l }",
        "{ $take: 2, $from: $l }",
        "{ $json: $l }",
        "{ $tokens: $l }",
        "{ $first: [ $.c, $l ] }",
        "[ { $first: [ $l, $.b ] } ]",
        "{ $merge: [ { a: 1 }, $l ] }",
        "{ $walk: $l, $edits: [ { when: { $node.k: { is: present } }, set: { k: 1 } } ] }",
        "{ $for: $l, $as: i, $at: n, $emit: { $list: [ $n, $i ] } }",
        "{ $for: $l, $as: i, $group: $i.k, $emit: { $count: $i } }",
        "{ $switch: $l, $cases: { x: 1 }, $default: 2 }",
        "{ $let: { again: $l }, $in: { $list: [ $again, $again[0] ] } }",
        "{ $if: $l, $then: 1, $else: 2 }",
        "{ $if: { $.b: { in: $l } }, $then: 1, $else: 2 }",
        "{ $if: { $l: $.b }, $then: 1, $else: 2 }",
        "{ $if: { $l: x }, $then: 1, $else: 2 }",
        "{ $if: { $l: { not: x } }, $then: 1, $else: 2 }",
        "{ $if: { $l: { any: [ x, y ] } }, $then: 1, $else: 2 }",
        "{ $if: { $l: { contains: x } }, $then: 1, $else: 2 }",
        "{ $if: { $l: { is: list } }, $then: 1, $else: 2 }",
        "{ $if: { $l: { is: [ nothing, object ] } }, $then: 1, $else: 2 }",
        "{ $if: { $l: { is: empty } }, $then: 1, $else: 2 }",
        "{ $if: { $l: { length: { above: 2 } } }, $then: 1, $else: 2 }",
        "{ $if: { $l: { matches: x } }, $then: 1, $else: 2 }",
        "{ $if: { $l[0]: x }, $then: 1, $else: 2 }",
        "{ $if: { '$l[*].k': x }, $then: 1, $else: 2 }",
    ];
    for used in uses {
        for over in ["$.a", "'$.a[*]'", "'$.a[?@ == \"x\" || @.k]'"] {
            let made = |emit: &str| {
                format!("{{ $let: {{ l: {{ $for: {over}, $as: it, $emit: {emit} }} }}, $in: {used} }}")
            };
            for document in documents {
                // A choice of one is no selection.
                let (selected, written) = (made("$it"), made("[ { $first: [ $it ] } ]"));
                assert_eq!(run(&selected, document), run(&written, document), "{selected} over {document}");
            }
        }
    }
}

#[test]
fn every_directive_but_those_with_a_fragment_or_a_failure_has_an_example() {
    let without: Vec<_> = all().filter(|d| d.examples.is_empty()).map(|d| d.name).collect();
    assert_eq!(without, ["$use", "$fail"]);
}

#[test]
fn needs_are_known_through_names_and_choices() {
    let doc = Doc::parse(r#"{"a":1}"#).unwrap();
    let mut env = Env::new(1);
    env.set(0, Val::Json(doc.root()));
    for (template, may_be) in [
        ("$.b.c", false),
        ("{ $first: [ $.b, $.c ] }", false),
        ("{ $first: [ $.b, $.a ] }", true),
        ("{ $first: [ $.b, x ] }", true),
        ("{ $if: $.b, $then: x }", false),
        ("{ $if: { $.b: nothing }, $then: $.c }", false),
        ("{ $if: { not: $.b }, $then: x }", true),
        ("{ $let: { x: $.b }, $in: { $if: { $x: { is: string } }, $then: $x } }", false),
        ("{ $let: { x: $.b, y: { $first: [ $x.c, $.c ] } }, $in: { $join: '$y[*].d', $by: '' } }", false),
        ("{ $let: { x: $.a }, $in: { $first: [ $x.b ] } }", true),
        ("{ $join: { $for: '$.b[*]', $as: x, $emit: $x.c }, $by: '' }", false),
    ] {
        assert_eq!(compile(template).unwrap().needs().may_be(&env), may_be, "{template}");
    }
}

#[test]
fn conditions_hold_only_where_what_they_need_is() {
    let values = || MATCHERS.iter().flat_map(|entry| entry.holds.iter().chain(entry.fails));
    let documents: Vec<String> = values().map(|value| format!(r#"{{"a":{value}}}"#)).collect();
    let (mut held, mut known) = (0, 0);
    for matcher in MATCHERS.iter().map(|entry| entry.example) {
        for condition in [
            format!("{{ $.a: {matcher} }}"),
            format!("{{ not: {{ $.a: {matcher} }} }}"),
            format!("{{ any: [ {{ $.a: {matcher} }}, $.b ] }}"),
            format!("{{ all: [ {{ $.a: {matcher} }}, {{ not: $.b }} ] }}"),
            format!("{{ $.a: {{ not: {matcher}, any: [ {matcher}, {{ is: string }} ] }} }}"),
        ] {
            let template = format!("{{ $if: {condition}, $then: 1 }}");
            let compiled = compile(&template).unwrap_or_else(|error| panic!("{template}: {error}"));
            for document in documents.iter().map(String::as_str).chain(["{}", r#"{"b":1}"#, r#"{"a":null}"#])
            {
                held += usize::from(give(&compiled, &template, document).unwrap().is_some());
            }
            known += usize::from(!compiled.needs().may_be(&Env::new(1)));
        }
    }
    assert!(held > 500 && known > 20, "{held} held, of {known} the needs are known");
}

#[test]
fn every_matcher_holds_and_fails_as_it_says() {
    for entry in MATCHERS {
        let template = format!("{{ $if: {{ $.v: {} }}, $then: true, $else: false }}", entry.example);
        for (inputs, expected) in [(entry.holds, "true"), (entry.fails, "false")] {
            for input in inputs {
                let gave = run(&template, &format!("{{\"v\":{input}}}")).unwrap();
                assert_eq!(gave.as_deref(), Some(expected), "{} over {input}", entry.example);
            }
        }
    }
}

#[test]
fn mistakes_are_named_with_what_was_meant() {
    for (template, message, help) in [
        ("{ $iff: $.a, $then: 1 }", "there is no directive `$iff`", "did you mean `$if`?"),
        ("{ $then: 1 }", "there is no directive `$then`", "`$then` stands beside `$if`"),
        ("{ $if: $.a }", "`$if` needs `$then` beside it", ""),
        ("{ $if: $.a, $then: 1, $elze: 2 }", "`$elze` cannot stand beside `$if`", "did you mean `$else`?"),
        ("{ $first: [$.a], x: 1 }", "`x` cannot stand beside `$first`", "$merge"),
        ("$msg.role", "nothing is called `$msg` here", "$$msg"),
        (
            "{ $if: { $.a: { matchs: x } }, $then: 1 }",
            "there is no matcher `matchs`",
            "did you mean `matches`?",
        ),
        ("{ $if: { $.a: { matches: '(' } }, $then: 1 }", "this is no regular expression", "look-around"),
        ("a {$.b", "a `{$` without its `}`", ""),
        ("{ $capture: a, $from: $.x, $group: g }", "the expression has no group `g`", ""),
    ] {
        let error = run(template, "{}").expect_err(template);
        assert!(error.contains(message) && error.contains(help), "{template}: {error}");
    }
}

#[test]
fn a_fragments_parameters_keep_out_of_each_others_way() {
    let mut scope = Scope::new(&[""]);
    let mut diags = Diagnostics::default();
    let fragments = "{ pair: '{$a}{$b}', both: { $let: { x: $b }, $in: [$a, $x, { $use: pair, $with: { a: $x, b: $a } }] } }";
    scope.fragments(&yaml::parse(FileId(0), fragments).unwrap(), &mut diags);
    let template = "{ $use: both, $with: { a: 1, b: { $use: pair, $with: { a: 2, b: { $use: pair, $with: { a: 3, b: 4 } } } } } }";
    let node = yaml::parse(FileId(0), template).unwrap();
    let compiled = Compiler::new(&scope, &mut diags).template(&node).unwrap();
    let mut out = Vec::new();
    assert_eq!(compiled.write(&mut Env::new(scope.len()), &mut out), Ok(true));
    assert_eq!(String::from_utf8(out).unwrap(), r#"[1,"234","2341"]"#);
}

/// Were their cost the square of their length, this would take minutes.
#[test]
fn long_lists_and_objects_take_no_longer_than_they_are() {
    let names: Vec<String> = (0..40_000).map(|n| format!("\"name_{n}\"")).collect();
    let list = format!("[{}]", names.join(","));
    let known = "{ $let: { known: [ { $for: $, $as: x, $emit: $x } ] }, $in: { $count: { $for: $, $as: x, $where: { $x: { in: $known } }, $emit: $x } } }";
    assert_eq!(run(known, &list).unwrap().as_deref(), Some("40000"));
    let numbers: Vec<String> =
        (0..40_000).map(|n| if n % 2 == 0 { format!("{n}") } else { format!("{n}.0") }).collect();
    assert_eq!(run(known, &format!("[{}]", numbers.join(","))).unwrap().as_deref(), Some("40000"));
    let gathered = "{ $count: { $for: [{ $flat: $ }, { $flat: $ }], $as: same, $gather: $same, $emit: { $count: $same } } }";
    assert_eq!(run(gathered, &list).unwrap().as_deref(), Some("40000"));
    let members: Vec<String> = names.iter().map(|name| format!("{name}:0")).collect();
    let object = format!("{{{}}}", members.join(","));
    let merged = "{ $count: { $keys: { $merge: [ $, $ ] } } }";
    assert_eq!(run(merged, &object).unwrap().as_deref(), Some("40000"));
}

#[test]
fn what_is_gathered_is_equal_and_nothing_else() {
    let gathered = "{ $for: $, $as: same, $gather: $same.k, $emit: { $count: $same } }";
    for (keys, counts) in [
        (r#"[{"k":1},{"k":1.0},{"k":"1"},{"k":true},{"k":1e0}]"#, "[3,1,1]"),
        (r#"[{},{"k":null},{"k":""},{},{"k":null},{"k":false}]"#, "[2,2,1,1]"),
        (
            r#"[{"k":{"a":1,"b":2}},{"k":[1]},{"k":{"b":2,"a":1.0}},{"k":[1]},{"k":9007199254740993},{"k":0.5},{"k":0.50}]"#,
            "[2,2,1,2]",
        ),
    ] {
        assert_eq!(run(gathered, keys).unwrap().as_deref(), Some(counts), "{keys}");
    }
}

#[test]
fn an_edit_sees_what_the_edits_before_it_did() {
    let walk = "{ $walk: $, $edits: [ { when: { $node.a: { is: present } }, set: { b: x }, drop: [ a ] }, { when: { $node.b: x }, set: { c: $node.b } }, { when: { $node.a: { is: present } }, set: { d: 1 } }, { when: { $node.c: { is: absent } }, set: { e: $key } } ] }";
    for (input, output) in [
        (r#"{"a":1}"#, r#"{"b":"x","c":"x"}"#),
        (r#"{"\u0061":1,"b":2}"#, r#"{"b":"x","c":"x"}"#),
        (r#"{"b":"x"}"#, r#"{"b":"x","c":"x"}"#),
        (
            r#"{"k":{"l":[{"c":1},{"a":null}]},"c":0}"#,
            r#"{"k":{"l":[{"c":1},{"b":"x","c":"x"}],"e":"k"},"c":0}"#,
        ),
    ] {
        assert_eq!(run(walk, input).unwrap().as_deref(), Some(output), "{input}");
    }
    // More edits than there are bits to note them in.
    let edits: Vec<_> = (0..70).map(|n| format!("{{ when: {{ $node.k{n}: 1 }}, drop: [ k{n} ] }}")).collect();
    let walk = format!("{{ $walk: $, $edits: [ {} ] }}", edits.join(", "));
    let input = r#"{"k0":1,"k1":2,"k63":1,"k64":1,"k69":1,"k70":1}"#;
    assert_eq!(run(&walk, input).unwrap().as_deref(), Some(r#"{"k1":2,"k70":1}"#));
}

#[test]
fn nothing_leaves_no_trace() {
    for (template, input, output) in [
        ("{ a: $.x, b: null, c: [], d: { e: $.x } }", "{}", r#"{"b":null,"c":[],"d":{}}"#),
        ("[$.x, $.y, 0]", r#"{"x":null,"y":false}"#, "[false,0]"),
        ("'{$.x}-{$.n}'", r#"{"n":1.50}"#, r#""-1.50""#),
        ("'$$x costs {$.n}'", r#"{"n":5}"#, r#""$x costs {$.n}""#),
        (
            "{ a: $ }",
            r#"{"k" : [1.0, 12345678901234567890]}"#,
            r#"{"a":{"k" : [1.0, 12345678901234567890]}}"#,
        ),
    ] {
        assert_eq!(run(template, input).unwrap().as_deref(), Some(output), "{template}");
    }
}
