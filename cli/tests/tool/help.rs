//! What the tool says about itself.

use crate::support::run;

/// The commands, as the tool lists them.
async fn commands() -> Vec<String> {
    let ran = run(&["--help"]).await;
    assert_eq!(ran.exit, 0);
    let listed = ran.out.split_once("Commands:\n").expect("commands are listed").1;
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // Further lines of a description stand deeper.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_an_example_in_its_help() {
    let commands = commands().await;
    assert!(commands.len() >= 13, "{commands:?}");
    for command in commands {
        let ran = run(&[&command, "--help"]).await;
        assert_eq!(ran.exit, 0, "{command}");
        let examples = ran.out.split_once("Example").unwrap_or_else(|| panic!("{command} has no example")).1;
        assert!(examples.contains(&format!("pnet {command}")), "{command}: {examples}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_in_the_completions() {
    let commands = commands().await;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(&["completions", shell]).await;
        assert_eq!(ran.exit, 0, "{shell}");
        for command in &commands {
            assert!(ran.out.contains(command.as_str()), "{shell} does not complete {command}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_a_usage_error() {
    for arguments in
        [&["frob"][..], &[], &["call"], &["load", "127.0.0.1:1", "ADD"], &["call", "a:1", "X", "{}", "--timeout", "0"]]
    {
        let ran = run(arguments).await;
        assert_eq!((ran.exit, &*ran.out), (2, ""), "{arguments:?}");
        assert!(!ran.err.is_empty(), "{arguments:?}");
        if !arguments.is_empty() {
            let ran = run(&[arguments, &["--json"]].concat()).await;
            let [event] = ran.json().try_into().expect("one event is one line");
            assert_eq!(event["exit"], 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals() {
    let ran = run(&["--version"]).await;
    assert_eq!((ran.exit, &*ran.out), (0, concat!("pnet ", env!("CARGO_PKG_VERSION"), "\n")));
    // `Ran` takes no control character but the line's end, so this and all other tests see that there is none.
    run(&["--help"]).await;
}
