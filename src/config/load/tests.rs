use super::*;
use crate::config::builtin;
use crate::config::files::Memory;
use crate::config::model::Key;
use std::path::PathBuf;

const PROTOCOL: &str = "protocol: p\nsend: { path: /x }\n";

fn no_env(_: &str) -> Option<String> {
    None
}

fn load_in(files: &[(&str, &str)], env: &dyn Fn(&str) -> Option<String>) -> (Loaded, String) {
    let loaded = load(&Memory::new(files.iter().copied()), Path::new("c/rules.yaml"), env);
    let said = loaded.diagnostics.render(&loaded.sources, false);
    (loaded, said)
}

#[test]
fn the_rules_inside_the_program_load_with_nothing_around_them() {
    let loaded = load(&Memory::default(), Path::new(builtin::MAIN), &no_env);
    assert_eq!(loaded.diagnostics.render(&loaded.sources, false), "");
    let rules = loaded.rules.unwrap();
    assert!(!rules.providers.is_empty() && !rules.protocols.is_empty() && !rules.mappings.is_empty());
    assert!(rules.providers.iter().all(|(_, provider)| matches!(provider.key.value, Key::Unset(_))));
    assert_eq!(loaded.files[0].path, PathBuf::from("tokens.txt"));
    assert_eq!(loaded.files.len(), 1);
    assert_eq!(loaded.hash.len(), 64);
}

#[test]
fn keys_come_from_the_environment_before_files() {
    let rules = "secrets: [tokens.txt]\nproviders:\n  a: { speaks: p, url: http://a, key: '${A_KEY}' }\n  \
                 b: { speaks: p, url: http://b, key: '${B_KEY}' }\n  c: { speaks: p, url: http://c, key: '${C_KEY}' }\n";
    let files = [("c/rules.yaml", rules), ("c/tokens.txt", "a_key=from-file\nb-key=from-file-too\n")];
    let (loaded, said) = load_in(&files, &|name| (name == "A_KEY").then(|| "from-env".into()));
    assert_eq!(said, "");
    let rules = loaded.rules.unwrap();
    let key = |name: &str| match &rules.providers.get(name).unwrap().key.value {
        Key::Value(secret) => secret.expose().to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!([key("a"), key("b"), key("c")], ["from-env", "from-file-too", "Unset([\"C_KEY\"])"]);
    let watched: Vec<_> = loaded.files.iter().map(|file| file.path.to_str().unwrap()).collect();
    assert_eq!(watched, ["c/rules.yaml", "c/tokens.txt", "tokens.txt"]);
}

#[test]
fn no_diagnostic_shows_a_value_or_a_literal_key() {
    let rules = "providers:\n  a: { speaks: '${SECRET}', url: '${URL}', key: sk-literal, kee: sk-literal }\n";
    let env = |name: &str| (name == "SECRET").then(|| "sk-from-env".to_string());
    let (loaded, said) = load_in(&[("c/rules.yaml", rules)], &env);
    let mut diags = loaded.diagnostics;
    crate::config::check::check(&loaded.rules.unwrap(), &mut diags);
    let said = said + &diags.render(&loaded.sources, false) + &diags.to_json(&loaded.sources).to_string();
    assert!(said.contains("no key `kee`") && said.contains("`URL` is not set"), "{said}");
    assert!(said.contains("there is no protocol `${SECRET}`") && !said.contains("sk-from-env"), "{said}");
    assert!(said.contains("key: **********,"), "{said}");
}

#[test]
fn a_literal_key_is_hidden_even_in_a_file_that_is_no_yaml() {
    let (_, said) = load_in(&[("c/rules.yaml", "providers: { a: { key: sk-secret, url: [ } }")], &no_env);
    assert!(said.contains("key: *********, url") && !said.contains("sk-secret"), "{said}");
}

#[test]
fn included_files_are_protocols_mappings_and_parts_of_the_rules() {
    let files = [
        (
            "c/rules.yaml",
            "include: [p/*.yaml, more.yaml]\nlisten: 127.0.0.1:1\nproviders: { a: { speaks: p, url: http://a } }\n",
        ),
        ("c/p/p.yaml", PROTOCOL),
        (
            "c/more.yaml",
            "include: [sub/q.yaml, rules.yaml]\nlisten: 127.0.0.1:2\ntimeouts: { idle: 1s }\nproviders: { b: { speaks: p, url: http://b, priority: 1 } }\n",
        ),
        ("c/sub/q.yaml", "mapping: { from: p, to: q }\n"),
    ];
    let (loaded, said) = load_in(&files, &no_env);
    assert_eq!(said, "");
    let rules = loaded.rules.unwrap();
    let names: Vec<_> = rules.providers.names().map(|key| key.text.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(rules.listen.value, "127.0.0.1:1");
    assert_eq!(rules.timeouts.idle, Some(std::time::Duration::from_secs(1)));
    assert_eq!(rules.timeouts.connect(), std::time::Duration::from_secs(5));
    assert!(rules.protocol("p").is_some() && rules.mapping("p", "q").is_some());
    assert_eq!(loaded.files.len(), 4);
}

#[test]
fn what_is_not_on_disk_may_be_inside_the_program_and_what_is_there_wins() {
    let inside = builtin::FILES.iter().find(|(name, _)| name.starts_with("protocols/")).unwrap();
    let name = inside.1.lines().find_map(|line| line.strip_prefix("protocol: ")).unwrap();
    let (loaded, said) = load_in(&[("c/rules.yaml", "include: [protocols/*.yaml]")], &no_env);
    assert_eq!(said, "");
    assert!(loaded.rules.unwrap().protocol(name).is_some());
    let own = format!("protocol: {name}\nsend: {{ path: /mine }}\n");
    let files = [("c/rules.yaml", "include: ['builtin:protocols/*.yaml', own.yaml]"), ("c/own.yaml", &own)];
    let (loaded, said) = load_in(&files, &no_env);
    assert_eq!(said, "");
    assert_eq!(loaded.rules.unwrap().protocol(name).unwrap().send.path.value, "/mine");
}

#[test]
fn the_protocols_inside_the_program_are_there_beside_those_of_a_folder() {
    let names = |loaded: &Loaded| -> Vec<String> {
        loaded.rules.as_ref().unwrap().protocols.iter().map(|it| it.protocol.value.clone()).collect()
    };
    let (inside, _) = load_in(&[("c/rules.yaml", "timeouts: {}")], &no_env);
    let own = "protocol: p\nsend: { path: /x }\n";
    let files = [("c/rules.yaml", "include: [protocols/*.yaml]"), ("c/protocols/p.yaml", own)];
    let (loaded, said) = load_in(&files, &no_env);
    assert_eq!(said, "");
    let mut expected = vec!["p".to_owned()];
    expected.extend(names(&inside));
    assert_eq!(names(&loaded), expected);
    assert!(loaded.rules.unwrap().mappings.is_empty(), "nobody needs one");
    // One that has the name of a file inside the program comes in its place, whatever is in it.
    let (name, _) = builtin::FILES.iter().find(|(name, _)| name.starts_with("protocols/")).unwrap();
    let files = [("c/rules.yaml", "include: [protocols/*.yaml]"), (&format!("c/{name}"), own)];
    let (loaded, said) = load_in(&files, &no_env);
    assert_eq!(said, "");
    assert_eq!(names(&loaded).len(), expected.len() - 1);
}

#[test]
fn of_the_mappings_inside_the_program_those_are_read_that_a_route_and_a_provider_need() {
    let names = builtin::FILES.iter().filter_map(|(name, _)| name.strip_prefix("mappings/"));
    let pairs: Vec<(&str, &str)> =
        names.filter_map(|name| name.trim_end_matches(".yaml").split_once("--")).collect();
    assert!(pairs.len() > 1);
    for (from, to) in &pairs {
        for (speaks, wanted) in [(to, vec![(*from, *to)]), (from, vec![])] {
            let rules = format!("include: [ more.yaml ]\nroutes: [ {{ path: /v1/x, protocol: {from} }} ]\n");
            let more = format!("providers: {{ one: {{ speaks: {speaks}, url: http://one }} }}\n");
            let (loaded, said) = load_in(&[("c/rules.yaml", &rules), ("c/more.yaml", &more)], &no_env);
            assert_eq!(said, "");
            let found = loaded.rules.unwrap().mappings;
            let found: Vec<_> =
                found.iter().map(|it| (it.mapping.from.value.clone(), it.mapping.to.value.clone())).collect();
            let wanted: Vec<_> = wanted.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(found, wanted);
        }
    }
}

#[test]
fn what_a_file_says_of_a_shipped_provider_comes_before_what_the_shipped_rules_say() {
    let (shipped, _) = load_in(&[("c/rules.yaml", "include: ['builtin:rules.yaml']")], &no_env);
    let shipped = shipped.rules.unwrap();
    let (last, was) = shipped.providers.iter().last().unwrap();
    let (first, _) = shipped.providers.iter().next().unwrap();
    let own = format!(
        "include: ['builtin:rules.yaml']\nproviders:\n  mine: {{ speaks: p, url: http://m }}\n  {}: {{ url: http://elsewhere }}\n\
         repairs: {{ fix: {{ patch: [ {{ remove: [ $.x ] }} ] }} }}\n",
        last.text
    );
    let (loaded, said) = load_in(&[("c/rules.yaml", &own)], &no_env);
    assert_eq!(said, "");
    let rules = loaded.rules.unwrap();
    let names: Vec<_> = rules.providers.names().map(|key| key.text.as_str()).collect();
    assert_eq!(names[..3], ["mine", last.text.as_str(), first.text.as_str()]);
    assert_eq!(names.len(), shipped.providers.names().count() + 1);
    let now = rules.providers.get(&last.text).unwrap();
    assert_eq!(now.url.value, "http://elsewhere");
    assert_eq!(format!("{:?}", now.key.value), format!("{:?}", was.key.value));
    assert_eq!(now.failover.len(), was.failover.len());
}

/// A rule of one's own may take the place of a shipped one, and mean the opposite of what the shipped tests say.
#[test]
fn own_rules_take_the_place_of_shipped_ones_without_a_word_against_it() {
    let (shipped, _) = load_in(&[("c/rules.yaml", "include: ['builtin:rules.yaml']")], &no_env);
    let shipped = shipped.rules.unwrap();
    let name = shipped.failover.last().unwrap().name.value.clone();
    let path = shipped.routes.first().unwrap();
    let own = format!(
        "include: ['builtin:rules.yaml']\n\
         routes: [ {{ path: {}, protocol: {} }} ]\n\
         failover: [ {{ name: {name}, when: {{ status: 4xx }}, do: next }}, {{ name: all, when: {{ status: [ 4xx, 5xx ] }}, do: return }} ]\n",
        path.path.value,
        path.protocol.as_ref().unwrap().value
    );
    let keys = |name: &str| name.ends_with("_API_KEY").then(|| format!("some-key-{name}"));
    let (loaded, _) = load_in(&[("c/rules.yaml", &own)], &keys);
    let (rules, mut diags) = (loaded.rules.unwrap(), loaded.diagnostics);
    crate::config::check::check(&rules, &mut diags);
    assert_eq!(diags.render(&loaded.sources, false), "");
    assert_eq!(rules.failover.len(), shipped.failover.len() + 1);
    assert_eq!(rules.failover.first().unwrap().name.value, name);
    assert!(rules.tests.is_empty());
}

#[test]
fn a_protocol_or_a_mapping_can_be_looked_at_on_its_own() {
    let (loaded, said) =
        load_in(&[("c/rules.yaml", "mapping: { from: p, to: q }\nrequest: 1\nresponse: 1\n")], &no_env);
    let (rules, mut diags) = (loaded.rules.unwrap(), loaded.diagnostics);
    crate::config::check::check(&rules, &mut diags);
    assert_eq!(said + &diags.render(&loaded.sources, false), "");
    let (loaded, _) = load_in(&[("c/rules.yaml", "protocol: p\nsend: { path: x }\n")], &no_env);
    let (rules, mut diags) = (loaded.rules.unwrap(), loaded.diagnostics);
    crate::config::check::check(&rules, &mut diags);
    assert!(diags.render(&loaded.sources, false).contains("it has to begin with `/`"));
}

#[test]
fn what_cannot_be_read_is_named_where_it_is_included() {
    let files = [("c/rules.yaml", "include: [a.yaml, b/*.yaml, c.yaml]"), ("c/c.yaml", "a: [")];
    let (loaded, said) = load_in(&files, &no_env);
    assert!(said.contains("c/a.yaml cannot be read") && said.contains("c/rules.yaml:1:11"), "{said}");
    assert!(said.contains("`b/*.yaml` matches no file") && said.contains("no such folder"), "{said}");
    assert!(said.contains("c/c.yaml:1"), "{said}");
    assert!(loaded.rules.unwrap().incomplete);
    let (loaded, said) = load_in(&[], &no_env);
    assert!(loaded.rules.is_none() && said.contains("c/rules.yaml cannot be read"), "{said}");
}

#[test]
fn files_of_tests_are_read_beside_the_file_that_names_them() {
    let files = [
        ("c/rules.yaml", "include: [t/t.yaml]\ntests: [{ name: a, request: { file: x.json }, expect: {} }]"),
        ("c/t/t.yaml", "tests: [{ name: b, request: {}, given: { p: { file: x.json } }, expect: {} }]"),
        ("c/x.json", "1"),
        ("c/t/x.json", "2"),
    ];
    let (loaded, said) = load_in(&files, &no_env);
    assert_eq!(said, "");
    let files = loaded.rules.unwrap().files;
    let found: Vec<_> = files.values().map(|file| (file.path.as_str(), &file.bytes[..])).collect();
    assert_eq!(found, [("c/x.json", &b"1"[..]), ("c/t/x.json", b"2")]);
}

#[test]
fn the_hash_follows_every_file() {
    let hash = |tokens: &str| load_in(&[("c/rules.yaml", "secrets: [t]"), ("c/t", tokens)], &no_env).0.hash;
    assert_eq!(hash("A=1"), hash("A=1"));
    assert_ne!(hash("A=1"), hash("A=2"));
}

#[test]
fn tests_that_need_not_be_run_are_not_read_for_a_router() {
    let builtin = |name: &str| builtin::text(name).unwrap();
    let tests = |files: &Memory, path: &str| {
        let (all, some) = (
            load(files, Path::new(path), &|_| None),
            load_to_run(files, Path::new(path), &|_| None, &Default::default()),
        );
        assert_eq!((all.hash, &all.files), (some.hash, &some.files));
        let count = |rules: &Rules| {
            let of_mappings = rules.mappings.iter().map(|mapping| mapping.tests.len()).sum::<usize>();
            (
                rules.tests.len(),
                of_mappings,
                rules.catalog.iter().map(|catalog| catalog.tests.len()).sum::<usize>(),
            )
        };
        let (all, some) = (count(&all.rules.unwrap()), count(&some.rules.unwrap()));
        (all, some, all == some)
    };
    let (all, some, _) = tests(&Memory::default(), builtin::MAIN);
    assert!(all.0 > 0 && all.1 > 0 && all.2 > 0, "{all:?}");
    assert_eq!(some, (0, 0, 0));
    // Other rules over files as they are inside the program.
    let main = builtin("rules.yaml").replacen("providers:", "# mine\nproviders:", 1);
    let (all, some, _) = tests(&Memory::new([("rules.yaml", main.as_str())]), "rules.yaml");
    assert_eq!(some, (all.0, 0, 0));
    // Rules that are laid over those inside the program.
    let (all, some, _) =
        tests(&Memory::new([("rules.yaml", "include: ['builtin:rules.yaml']\n")]), "rules.yaml");
    assert!(all.0 == 0 && all.1 > 0 && all.2 > 0, "{all:?}");
    assert_eq!(some, (0, 0, 0));
    // A protocol that all else stands on.
    let of_protocols = builtin::FILES.iter().filter(|(name, _)| name.starts_with("protocols/"));
    let mut files: Vec<(&str, String)> = of_protocols.map(|(name, text)| (*name, text.to_string())).collect();
    files[0].1.insert_str(0, "# mine\n");
    files.push(("rules.yaml", builtin("rules.yaml").to_owned()));
    let files = files.iter().map(|(name, text)| (*name, text.as_str()));
    let (all, some, same) = tests(&Memory::new(files), "rules.yaml");
    assert!(same && all.1 > 0, "{all:?} {some:?}");
}
