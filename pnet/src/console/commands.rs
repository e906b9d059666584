pub(super) fn find(name: &str) -> Option<()> {
    (name == "help").then_some(())
}
