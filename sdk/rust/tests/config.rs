use purser_sdk::config::entry;
use purser_sdk::{Amount, Config, JSONEntry};

fn document() -> Vec<JSONEntry> {
    vec![
        entry("", "object", ""),
        entry("/amount", "string", "50000"),
        entry("/list", "array", ""),
        entry("/list/0", "string", "a"),
        entry("/list/1", "string", "b"),
        entry("/listed", "bool", "true"),
        entry("/none", "null", ""),
        entry("/number", "number", "7"),
        entry("/rows", "array", ""),
        entry("/rows/0", "object", ""),
        entry("/rows/0/name", "string", "x"),
        entry("/rows/1", "object", ""),
        entry("/text", "string", "hello"),
    ]
}

fn problems(configure: impl FnOnce(&mut Config<'_>)) -> Vec<String> {
    let document = document();
    let mut config = Config::new(&document);
    configure(&mut config);
    let result = config.result();
    assert_eq!(result.ok, result.problems.is_empty());
    result.problems.into_iter().map(|p| format!("{} {}", p.pointer, p.message)).collect()
}

#[test]
fn settings_that_are_there_are_read() {
    let found = problems(|c| {
        assert_eq!(c.amount("/amount"), Amount::from(50_000));
        assert_eq!(c.len("/list"), 2);
        assert_eq!(c.texts("/list"), ["a", "b"]);
        assert!(c.bool("/listed"));
        assert!(!c.has("/none") && c.has("/text") && !c.has("/texts"));
        assert_eq!(c.uint("/number"), 7);
        assert_eq!(c.len("/rows"), 2);
        assert_eq!(c.text("/text"), "hello");
        c.ignore("/none");
        c.ignore("/rows");
    });
    assert!(found.is_empty(), "{:?}", found);
}

#[test]
fn settings_that_nobody_read_are_problems() {
    let found = problems(|c| c.ignore("/rows"));
    let want = ["/amount", "/list/0", "/list/1", "/listed", "/none", "/number", "/text"];
    assert_eq!(found, want.map(|pointer| format!("{} is not a setting of this plugin", pointer)));
}

#[test]
fn missing_and_mistyped_settings_are_problems_with_their_pointer() {
    let ignored = ["/amount", "/list", "/listed", "/none", "/number", "/rows", "/text"];
    let found = problems(|c| {
        ignored.iter().for_each(|pointer| c.ignore(pointer));
        assert_eq!(c.amount("/nowhere"), Amount::default());
        assert_eq!(c.amount("/text"), Amount::default());
        assert_eq!(c.uint("/amount"), 0);
        assert!(!c.bool("/none"));
        assert!(c.texts("/rows").is_empty());
        assert_eq!(c.len("/text"), 0);
    });
    let want = [
        "/nowhere is missing",
        "/text amount is not a plain decimal integer below 2^256 without leading zeros",
        "/amount must be of type number",
        "/none must be of type bool",
        "/rows/0 must be a string",
        "/rows/0/name must be a string",
        "/rows/1 must be a string",
        "/text must be of type array",
    ];
    assert_eq!(found, want);
}

#[test]
fn negative_numbers_are_problems() {
    let document = [entry("/n", "number", "-1")];
    let mut config = Config::new(&document);
    assert_eq!(config.uint("/n"), 0);
    assert_eq!(config.result().problems[0].message, "must not be negative");
}

#[test]
fn no_report_is_longer_than_the_host_reads() {
    let document = vec![entry("/x", "string", ""); 1_000];
    assert_eq!(Config::new(&document).result().problems.len(), 64);
}
