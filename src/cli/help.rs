//! What stands below the options in `--help`, command by command.

/// The end of `rulegate --help`.
pub(super) const EXAMPLES: &str = "\
Examples:
  rulegate                               run with ./rules/rules.yaml, or with the built-in rules
  rulegate run --rules my/rules.yaml     run with a file; save it and the router follows
  rulegate check my/rules.yaml           say all that is wrong with it, with line and column
  rulegate test my/rules.yaml            run the tests that stand in it
  rulegate map --mapping my.yaml --request ask.json   show what a mapping makes of a request
  rulegate status                        who answers, who is cooling down until when and why
  rulegate explain                       how the latest answer came about
  rulegate explain --provider NAME --status 429   which rule fires on that, and why
  rulegate demo                          see it work in a minute, without a key or an account
  rulegate init                          write the built-in rules to ./rules/rules.yaml, to edit them

Exit codes: 0 all is well; 1 the rules or their tests are wrong, or the router failed;
2 the command line is wrong or a file cannot be read.

Environment: RULEGATE_RULES, RULEGATE_LISTEN, RULEGATE_STATE, RULEGATE_LOG, RULEGATE_LOG_FORMAT and RULEGATE_LOG_TIME stand for
the options of these names, which come before them; RULEGATE_URL for --url. NO_COLOR turns colours off.";

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  rulegate run
  rulegate run --rules rules/rules.yaml --listen 127.0.0.1:9000
  rulegate run --log debug               each attempt, and what each rule said of it

Without --rules: $RULEGATE_RULES, else ./rules/rules.yaml, else ./rules.yaml, else the built-in rules.
Exit codes: 0 stopped as asked; 1 the rules are wrong, the address cannot be had, or the router failed; 2 a file cannot be read.";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  rulegate check rules/rules.yaml
  rulegate check examples/*.yaml         several files, each by itself
  rulegate check --deny-warnings -       what comes over the standard input, as strictly as can be
  rulegate check --json rules/rules.yaml   for editors and scripts

Exit codes: 0 nothing is wrong (warnings may be printed, without --deny-warnings); 1 something is; 2 a file cannot be read.";

pub(super) const TEST_EXAMPLES: &str = "\
Examples:
  rulegate test                          the built-in rules' own tests, or those of ./rules/rules.yaml
  rulegate test rules/rules.yaml
  rulegate test --list                   which there are
  rulegate test --filter limit           those whose name contains it

The tests drive the real engine with simulated providers and a simulated clock: no network, no waiting.
Exit codes: 0 all passed; 1 one failed, or the rules are wrong; 2 a file cannot be read.";

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  rulegate demo
  rulegate demo --listen 127.0.0.1:9000

No key and no account is needed, and nothing leaves this machine.
Exit codes: 0 stopped as asked; 1 it could not start, or failed; 2 the command line is wrong.";

pub(super) const INIT_EXAMPLES: &str = "\
Examples:
  rulegate init                          writes ./rules/rules.yaml, and a schema for editors
  rulegate init /etc/rulegate
  rulegate init --all                    also the protocols, the mappings and the catalogue

A file that is there already is never overwritten.
Exit codes: 0 all files are there; 2 one could not be written.";

pub(super) const SCHEMA_EXAMPLES: &str = "\
Examples:
  rulegate schema                        of rules.yaml
  rulegate schema catalog                of a file in catalog/

In a file, the line `# yaml-language-server: $schema=PATH` tells editors where it is; `rulegate init` writes both.
Exit codes: 0 printed; 2 there is no such file.";

pub(super) const CLEAR_EXAMPLES: &str = "\
Examples:
  rulegate clear first_one
  rulegate clear first_one --key work --model opus
  rulegate clear first_one --url http://127.0.0.1:9000

The admin key is taken from $RULEGATE_ADMIN_KEY; on this machine none is needed unless the rules set one.
Exit codes: 0 done; 1 there is no such provider, or no answer.";

pub(super) const SWITCH_EXAMPLES: &str = "\
Examples:
  rulegate switch second_one             asked first from now on, as long as it can answer
  rulegate switch second_one --for 2h    and then no longer
  rulegate switch auto                   the rules choose again

The admin key is taken from $RULEGATE_ADMIN_KEY; on this machine none is needed unless the rules set one.
Exit codes: 0 done; 1 there is no such provider, or no answer.";

pub(super) const RELOAD_EXAMPLES: &str = "\
Examples:
  rulegate reload
  rulegate reload --json --url http://127.0.0.1:9000

A router that follows its rules needs this only where it cannot see that they changed (some shared folders).
Exit codes: 0 the rules are in force; 1 they were refused and the old ones go on running, or there is no answer.";

pub(super) const HEALTH_EXAMPLES: &str = "\
Examples:
  rulegate health                        does the router answer?
  rulegate health --ready                and could a provider?
  rulegate health --url https://router.example:8443 --ca ca.pem   a router that speaks TLS

Exit codes: 0 it does; 1 it does not.";
