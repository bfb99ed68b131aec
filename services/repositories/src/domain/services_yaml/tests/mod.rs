//! What a services.yaml means, and what each kind of error says.
mod schedules;
mod schema;
mod warnings;

use super::{parse::NAME_RULE, *};

/// Returns the example of docs/services-yaml.md.
fn documented() -> String {
    let page = include_str!("../../../../../../docs/services-yaml.md");
    let rest = page.split_once("```yaml\n").expect("an example").1;
    rest.split_once("```").expect("its end").0.to_owned()
}

fn problem(text: &str) -> String {
    let error = parse(text).expect_err(text);
    assert_eq!(error.field, "services_text");
    error.problem
}

/// A file with one trigger whose `run` holds `line`, which is line 6.
fn run(line: &str) -> String {
    format!(
        "version: 1\ntriggers:\n  - name: a\n    on: {{event: push}}\n    run:\n      {line}\n      command: x\n"
    )
}

/// A file with one trigger whose `on` holds `line`, which is line 6.
fn on(line: &str) -> String {
    format!(
        "version: 1\ntriggers:\n  - name: a\n    run: {{command: x}}\n    on:\n      {line}\n      event: push\n"
    )
}

fn only(text: &str) -> Trigger {
    let mut services = parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(services.triggers.len(), 1);
    services.triggers.remove(0)
}

#[test]
fn the_documented_example_means_what_the_page_says() {
    let services = parse(&documented()).expect("reads");
    let [label, command, push] = services.triggers.as_slice() else {
        panic!("three triggers");
    };
    assert_eq!(label.name, "label");
    assert_eq!(label.event, "issues");
    assert_eq!(label.actions, ["labeled"]);
    assert_eq!(label.labels, ["run:dev"]);
    assert_eq!(label.spec.image, "ghcr.io/acme/agent:1");
    assert_eq!(label.spec.command, ["/agent", "--fix"]);
    assert_eq!(label.spec.secrets, ["ANTHROPIC_API_KEY"]);
    assert_eq!(
        label.spec.concurrency_group.as_deref(),
        Some("{repository}#{number}")
    );
    assert!(label.spec.cancel_in_progress);
    assert_eq!(label.spec.timeouts.running, 1_800);
    assert_eq!(label.spec.timeouts.pending, 300);
    assert_eq!(label.spec.max_attempts, 2);
    assert_eq!(command.comment, "/run");
    assert_eq!(
        (command.spec.cpu.as_str(), command.spec.memory.as_str()),
        ("2", "4Gi")
    );
    assert_eq!(command.spec.labels, ["large"]);
    assert_eq!(command.spec.command[..2], ["/bin/sh", "-c"]);
    assert_eq!(
        command.spec.command[2],
        "echo \"asked in words\"\nexec /agent\n"
    );
    assert_eq!(push.branches, ["$default", "release/**"]);
    assert_eq!(push.branches_ignore, ["release/old/**"]);
    assert_eq!(push.paths, ["src/**"]);
    assert_eq!(push.paths_ignore, ["**/*.md"]);
    assert!(!push.allow_bots);
}

#[test]
fn layers_merge_maps_and_replace_values_and_lists() {
    let trigger = only(
        "version: 1
defaults:
  image: base
  command: [below]
  env: {A: default, B: default, C: default}
  labels: [x, y]
  resources: {cpu: 250m, memory: 1Gi}
  timeouts: {pending: 10m, running: 2h}
  concurrency: {group: low, cancel_in_progress: true}
  priority: 5
environments:
  big:
    env: {B: environment, C: environment}
    resources: {memory: 2Gi}
    labels: [z]
    timeouts: {running: 1d}
triggers:
  - name: a
    on: {event: push}
    environment: big
    run:
      env: {C: run, D: 1.10, E: yes, F: true}
      timeouts: {unscheduled: 90s}
      concurrency: 'high {branch}'
      priority: -1
      command: []
"
        .replace("command: []", "command: [\"above\", \"\"]")
        .as_str(),
    );
    let spec = trigger.spec;
    let env: Vec<_> = spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        env,
        [
            "A=default",
            "B=environment",
            "C=run",
            "D=1.10",
            "E=yes",
            "F=true"
        ]
    );
    assert_eq!(spec.image, "base");
    assert_eq!(spec.command, ["above", ""]);
    assert_eq!(spec.labels, ["z"]);
    assert_eq!((spec.cpu.as_str(), spec.memory.as_str()), ("250m", "2Gi"));
    let t = spec.timeouts;
    assert_eq!((t.unscheduled, t.pending, t.running), (90, 600, 86_400));
    assert_eq!(spec.concurrency_group.as_deref(), Some("high {branch}"));
    assert!(spec.cancel_in_progress);
    assert_eq!(spec.priority, -1);
}

#[test]
fn one_text_stands_for_a_list_of_one_and_exclusions_alone_keep_the_rest() {
    let trigger = only(&on("actions: opened"));
    assert_eq!(trigger.actions, ["opened"]);
    let trigger = only(&on("branches: '!wip/**'"));
    assert!(trigger.branches.is_empty());
    assert_eq!(trigger.branches_ignore, ["wip/**"]);
}

#[test]
fn tags_stand_beside_branches_and_skip_markers_count_unless_the_file_says_otherwise() {
    let trigger = only(&on("tags: [v*, '!v0*']"));
    assert_eq!(
        (trigger.tags, trigger.tags_ignore),
        (vec!["v*".to_owned()], vec!["v0*".to_owned()])
    );
    assert!(!trigger.ignores_skip_markers);
    assert!(only(&on("skip_markers: false")).ignores_skip_markers);
    assert!(!only(&on("skip_markers: true")).ignores_skip_markers);
    assert_eq!(
        problem(&on("skip_markers: never")),
        "line 6: triggers[0].on.skip_markers: must be true or false"
    );
}

#[test]
fn a_trigger_stops_the_search_only_if_it_says_so() {
    let stops = |line: &str| {
        let text = format!(
            "version: 1\ntriggers: [{{name: a, on: {{event: push}}, run: {{command: x}}{line}}}]"
        );
        parse(&text).map(|services| services.triggers[0].stop)
    };
    assert_eq!(stops(""), Ok(false));
    assert_eq!(stops(", stop: false"), Ok(false));
    assert_eq!(stops(", stop: true"), Ok(true));
    let refused = stops(", stop: 'true'").expect_err("a text is no boolean");
    assert_eq!(
        refused.problem,
        "line 2: triggers[0].stop: must be true or false"
    );
}

#[test]
fn forks_are_denied_unless_the_file_says_otherwise() {
    for (line, policy) in [
        ("paths: a", ForkPolicy::Deny),
        ("forks: deny", ForkPolicy::Deny),
        ("forks: allow", ForkPolicy::Allow),
        ("forks: allow_with_secrets", ForkPolicy::AllowWithSecrets),
    ] {
        assert_eq!(only(&on(line)).forks, policy, "{line}");
    }
}

#[test]
fn bots_are_allowed_all_together_or_by_login_and_id() {
    let bots = |line: &str| {
        let trigger = only(&on(line));
        (trigger.allow_bots, trigger.allowed_bots)
    };
    assert_eq!(bots("allow_bots: true"), (true, vec![]));
    assert_eq!(bots("allow_bots: false"), (false, vec![]));
    assert_eq!(bots("paths: a"), (false, vec![]));
    let named = |names: &[&str]| (false, names.iter().map(|&n| n.to_owned()).collect());
    assert_eq!(
        bots("allow_bots: 'dependabot[bot]'"),
        named(&["dependabot[bot]"])
    );
    assert_eq!(
        bots("allow_bots: ['dependabot[bot]', 198982749, Copilot]"),
        named(&["dependabot[bot]", "198982749", "Copilot"])
    );
}

#[test]
fn an_empty_text_and_a_file_without_triggers_are_fine() {
    for text in ["", "  \n", "version: 1", "version: 1\ntriggers: []\n"] {
        assert_eq!(parse(text), Ok(Services::default()), "{text:?}");
    }
}

#[test]
fn unknown_keys_are_named_with_their_line_everywhere() {
    let run_keys = "image, command, env, secrets, resources, timeouts, concurrency, priority, labels, egress, max_attempts";
    assert_eq!(
        problem(&run("imagee: a")),
        format!("line 6: unknown key \"imagee\" in triggers[0].run (known: {run_keys})")
    );
    assert_eq!(
        problem("version: 1\n\ntrigger: []\n"),
        "line 3: unknown key \"trigger\" (known: version, defaults, environments, triggers)"
    );
    assert_eq!(
        problem(&on("action: [x]")),
        "line 6: unknown key \"action\" in triggers[0].on (known: event, actions, labels, comment, branches, tags, paths, skip_markers, allow_bots, forks, cron, timezone)"
    );
    assert_eq!(
        problem("version: 1\ntriggers:\n  - name: a\n    on: {event: push}\n    runs: {}\n"),
        "line 5: unknown key \"runs\" in triggers[0] (known: name, on, environment, run, stop)"
    );
    assert_eq!(
        problem(&run("timeouts:\n        start: 1m")),
        "line 7: unknown key \"start\" in triggers[0].run.timeouts (known: unscheduled, pending, running)"
    );
    assert_eq!(
        problem(&run("resources: {gpu: 1}")),
        "line 6: unknown key \"gpu\" in triggers[0].run.resources (known: cpu, memory)"
    );
    assert_eq!(
        problem(&run("concurrency: {name: x}")),
        "line 6: unknown key \"name\" in triggers[0].run.concurrency (known: group, cancel_in_progress)"
    );
    assert_eq!(
        problem("version: 1\nenvironments:\n  big:\n    cpu: 1\n"),
        format!("line 4: unknown key \"cpu\" in environments.big (known: {run_keys})")
    );
    assert_eq!(
        problem("version: 1\ndefaults: {cpus: 1}\n"),
        format!("line 2: unknown key \"cpus\" in defaults (known: {run_keys})")
    );
}

#[test]
fn errors_of_the_file_and_its_triggers_say_what_is_wrong() {
    let trigger = |rest: &str| format!("version: 1\ntriggers:\n  - {rest}\n");
    for (text, says) in [
        ("- a\n", "line 1: must be a map, not a list".to_owned()),
        ("# nothing\n", "line 1: version is missing".into()),
        ("triggers: []\n", "line 1: version is missing".into()),
        ("version: 2\n", "line 1: version: must be 1".into()),
        ("version: '1'\n", "line 1: version: must be 1".into()),
        (
            "version: 1\ntriggers: {}\n",
            "line 2: triggers: must be a list, not a map".into(),
        ),
        (
            "version: 1\ntriggers:\n",
            "line 2: triggers: must be a list, not nothing".into(),
        ),
        (
            "version: 1\nversion: 1\n",
            "line 2: key \"version\" is used twice (first in line 1)".into(),
        ),
        (
            &trigger("on: {event: push}"),
            "line 3: triggers[0].name is missing".into(),
        ),
        (
            &trigger("name: a"),
            "line 3: triggers[0].on is missing".into(),
        ),
        (
            &trigger("{name: a, on: {}}"),
            "line 3: triggers[0].on.event is missing".into(),
        ),
        (
            &trigger("{name: a/b, on: {}}"),
            format!("line 3: triggers[0].name: \"a/b\" is not {NAME_RULE}"),
        ),
        (
            &trigger("{name: a, on: {event: Push}, run: {command: x}}"),
            "line 3: triggers[0].on.event: \"Push\" is not an event's name".into(),
        ),
        (
            &trigger("{name: a, on: {event: push}}"),
            "line 3: triggers[0]: nothing runs: there must be an image or a command".into(),
        ),
        (
            &trigger("{name: a, on: {event: push}, environment: big}"),
            "line 3: triggers[0].environment: no environment \"big\"".into(),
        ),
        (
            &trigger(
                "{name: a, on: {event: x}, run: {image: i}}\n  - {name: a, on: {event: x}, run: {image: i}}",
            ),
            "line 4: triggers[1]: the name \"a\" is used twice".into(),
        ),
        (
            "version: 1\nenvironments: {'': {}}\n",
            format!("line 2: environments: \"\" is not {NAME_RULE}"),
        ),
    ] {
        assert_eq!(problem(text), says, "{text}");
    }
}

#[test]
fn errors_of_on_say_what_is_wrong() {
    for (line, says) in [
        (
            "actions: []",
            "actions: must not be empty; leave it out for any",
        ),
        (
            "actions: {}",
            "actions: must be a text or a list of texts, not a map",
        ),
        (
            "actions: [Opened]",
            "actions[0]: \"Opened\" is not an action's name",
        ),
        (
            "labels: [a, '']",
            "labels[1]: \"\" is not a label (1 to 200 bytes)",
        ),
        ("labels: [[a]]", "labels[0]: must be a text, not a list"),
        (
            "comment: run",
            "comment: \"run\" is not a command (one word that starts with /)",
        ),
        (
            "comment: /a b",
            "comment: \"/a b\" is not a command (one word that starts with /)",
        ),
        ("branches: ['a[']", "branches[0]: \"a[\" is not a glob"),
        ("paths: ['!']", "paths[0]: \"!\" is not a glob"),
        (
            "forks: always",
            "forks: must be deny, allow or allow_with_secrets",
        ),
        (
            "allow_bots: yes",
            "allow_bots: \"yes\" is not the login or the id of a bot (dependabot[bot]); true stands for any bot",
        ),
        (
            "allow_bots: ['a b']",
            "allow_bots[0]: \"a b\" is not the login or the id of a bot (dependabot[bot]); true stands for any bot",
        ),
        (
            "allow_bots: 1",
            "allow_bots: must be true, false, or a list of logins and ids of bots",
        ),
    ] {
        assert_eq!(problem(&on(line)), format!("line 6: triggers[0].on.{says}"));
    }
}

#[test]
fn errors_of_run_say_what_is_wrong() {
    for (line, says) in [
        ("image: a b", "image: \"a b\" is not the name of an image"),
        ("image:", "image: must be a text, not nothing"),
        (
            "env: {1A: x}",
            "env: \"1A\" is not a variable's name (letters, digits, _; not CK8S_*)",
        ),
        (
            "env: {CK8S_TOKEN: x}",
            "env: \"CK8S_TOKEN\" is not a variable's name (letters, digits, _; not CK8S_*)",
        ),
        ("env: {A: [x]}", "env.A: must be a text, not a list"),
        ("env: {A: }", "env.A: must be a text, not nothing"),
        ("env: {A: \"a\\0b\"}", "env.A: holds a NUL character"),
        (
            "secrets: [a]",
            "secrets[0]: \"a\" is not a secret's name (A-Z, 0-9, _; not CK8S_*)",
        ),
        ("secrets: A", "secrets: must be a list, not a text"),
        (
            "resources: {cpu: 0}",
            "resources.cpu: \"0\" is not an amount of CPU (500m, 2)",
        ),
        (
            "resources: {cpu: -1}",
            "resources.cpu: \"-1\" is not an amount of CPU (500m, 2)",
        ),
        (
            "resources: {memory: 1GB}",
            "resources.memory: \"1GB\" is not an amount of memory (512Mi, 4Gi)",
        ),
        (
            "timeouts: {running: 90}",
            "timeouts.running: \"90\" is not a time of 1s to 7d (90s, 10m, 2h, 1d)",
        ),
        (
            "timeouts: {running: 8d}",
            "timeouts.running: \"8d\" is not a time of 1s to 7d (90s, 10m, 2h, 1d)",
        ),
        (
            "timeouts: {pending: 0s}",
            "timeouts.pending: \"0s\" is not a time of 1s to 7d (90s, 10m, 2h, 1d)",
        ),
        (
            "timeouts: {pending: ä}",
            "timeouts.pending: \"ä\" is not a time of 1s to 7d (90s, 10m, 2h, 1d)",
        ),
        (
            "concurrency: []",
            "concurrency: must be a map, or a text, which is the group",
        ),
        (
            "concurrency: ''",
            "concurrency: \"\" is not a group (1 to 200 bytes, one line)",
        ),
        (
            "concurrency: '{sha}'",
            "concurrency: unknown placeholder {sha} (known: {repository}, {number}, {ref}, {branch}, {event})",
        ),
        (
            "concurrency: {group: 'a}'}",
            "concurrency.group: a brace is unmatched: {name} is a placeholder",
        ),
        (
            "concurrency: {group: '{ref'}",
            "concurrency.group: a brace is unmatched: {name} is a placeholder",
        ),
        (
            "priority: 101",
            "priority: must be a whole number from -100 to 100",
        ),
        (
            "priority: '1'",
            "priority: must be a whole number from -100 to 100",
        ),
        (
            "priority: 1.5",
            "priority: must be a whole number from -100 to 100",
        ),
        (
            "max_attempts: 0",
            "max_attempts: must be a whole number from 1 to 10",
        ),
        (
            "labels: ['']",
            "labels[0]: \"\" is not a label (1 to 100 bytes)",
        ),
        (
            "egress: [github.com]",
            "egress[0]: \"github.com\" is not a host with its port (name:port), nor a CIDR",
        ),
        (
            "egress: ['a:0']",
            "egress[0]: \"a:0\" is not a host with its port (name:port), nor a CIDR",
        ),
        (
            "egress: ['a:+80']",
            "egress[0]: \"a:+80\" is not a host with its port (name:port), nor a CIDR",
        ),
        (
            "egress: [10.0.0.0/+8]",
            "egress[0]: \"10.0.0.0/+8\" is not a host with its port (name:port), nor a CIDR",
        ),
        (
            "egress: [10.0.0.0/33]",
            "egress[0]: \"10.0.0.0/33\" is not a host with its port (name:port), nor a CIDR",
        ),
    ] {
        assert_eq!(
            problem(&run(line)),
            format!("line 6: triggers[0].run.{says}")
        );
    }
    let command = |line: &str| problem(&run("priority: 1").replace("command: x", line));
    let path = "line 7: triggers[0].run.command";
    assert_eq!(
        command("command: []"),
        format!("{path}: must name a program")
    );
    assert_eq!(
        command("command: ' '"),
        format!("{path}: must not be empty")
    );
    assert_eq!(
        command("command: {a: b}"),
        format!("{path}: must be a list (program and arguments) or a text for /bin/sh")
    );
    assert_eq!(
        problem(&run("concurrency: {cancel_in_progress: true}")),
        "line 6: triggers[0].run: concurrency.cancel_in_progress needs concurrency.group"
    );
    assert_eq!(
        problem(&run("{secrets: [A], env: {A: x}}").replace("      command: x\n", "")),
        "line 6: triggers[0].run: nothing runs: there must be an image or a command"
    );
    assert_eq!(
        problem(&run("secrets: [A]\n      env: {A: x}")),
        "line 6: triggers[0].run: secrets: \"A\" is no name for a secret, or is in env too"
    );
}

#[test]
fn good_hosts_amounts_and_times_are_accepted() {
    let trigger = only(&run(
        "egress: ['api.github.com:443', 10.0.0.0/8, '2001:db8::/32']\n      resources: {cpu: 0.5, memory: 1.5Gi}",
    ));
    assert_eq!(trigger.spec.egress.len(), 3);
    assert_eq!(trigger.spec.cpu, "0.5");
}

#[test]
fn hostile_yaml_is_refused_quickly_with_a_plain_message() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nversion: 1\n";
    let advice = "not allowed here; use defaults and environments";
    assert_eq!(problem(bomb), format!("line 1: anchors are {advice}"));
    assert_eq!(
        problem("version: 1\ndefaults: *a\n"),
        format!("line 2: aliases are {advice}")
    );
    assert_eq!(
        problem("version: 1\ndefaults:\n  <<: {image: a}\n"),
        format!("line 3: merge keys are {advice}")
    );
    assert_eq!(
        problem("version: !!int 1\n"),
        "line 1: tags are not allowed here"
    );
    assert_eq!(
        problem("version: 1\n---\nversion: 1\n"),
        "line 2: a second document; there must be one"
    );
    assert_eq!(problem("{[a]: 1}\n"), "line 1: a key must be a text");
    assert_eq!(problem(&"x".repeat(65_537)), "larger than 64 KiB");
    for deep in [
        "[".repeat(60_000),
        "{a: ".repeat(15_000),
        "- ".repeat(30_000),
        (0..300).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
        "? ".repeat(30_000),
    ] {
        let says = problem(&deep);
        assert!(says.starts_with("line "), "{says}");
        assert!(says.len() < 300, "{says}");
    }
    for junk in [
        "\u{0}",
        "version: 1\n\t- a",
        "a: b: c",
        "'",
        "%YAML 9.9\n--- 1",
        "@",
        "\u{feff}",
    ] {
        let says = problem(junk);
        assert!(says.starts_with("line "), "{junk:?}: {says}");
    }
    let keys: String = (0..8_000).map(|i| format!("k{i}: \n")).collect();
    assert_eq!(problem(&keys), "line 1001: more than 1000 keys in one map");
    let many = "  - {name: a, on: {event: x}, run: {image: i}}\n".repeat(101);
    assert_eq!(
        problem(&format!("version: 1\ntriggers:\n{many}")),
        "line 3: triggers: more than 100"
    );
}

#[test]
fn a_small_text_cannot_grow_without_bound() {
    let env = "x".repeat(60_000);
    let triggers: String = (0..5)
        .map(|i| format!("  - {{name: t{i}, on: {{event: x}}, run: {{image: i}}}}\n"))
        .collect();
    let says = problem(&format!(
        "version: 1\ndefaults: {{env: {{A: {env}}}}}\ntriggers:\n{triggers}"
    ));
    assert_eq!(
        says,
        "line 8: triggers[4]: the specs of all triggers, defaults filled in, are larger than 256 KiB"
    );
}
