//! What pnet is to be, as ratios: what was measured, and whether it is reached.

use crate::{
    figures::{Figure, Figures},
    rounds::{Run, Runtime},
    stats::Spread,
};

/// One claim.
#[derive(Debug)]
pub struct Claim {
    pub what: &'static str,
    of: Of,
    bound: Bound,
}

#[derive(Debug)]
enum Of {
    /// To `raw`.
    Raw(&'static str, &'static str, Figure),
    /// To another contestant: the rate.
    Other(&'static str, &'static str, &'static str),
    /// Two threads to one.
    Threads(&'static str, &'static str),
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Told, and not judged.
    Told,
}

/// A claim with what came of it.
#[derive(Debug)]
pub struct Judged {
    pub what: &'static str,
    pub bound: String,
    pub measured: Spread,
    /// `None`: there is no bound.
    pub reached: Option<bool>,
}

/// All of them.
const CLAIMS: [Claim; 23] = [
    claim(
        "server CPU of a call, 64 × 16, `fn` handlers ÷ raw",
        Of::Raw("many", "pnet", Figure::ServerCpu),
        Bound::AtMost(1.2),
    ),
    claim(
        "server CPU of a call, 64 × 16, `async fn` handlers ÷ raw",
        Of::Raw("many", "pnet-async", Figure::ServerCpu),
        Bound::AtMost(1.3),
    ),
    claim("calls, 64 × 16 ÷ raw-mux", Of::Other("many", "pnet", "raw-mux"), Bound::AtLeast(1.0)),
    claim("one call at a time, on one core ÷ raw-mux", Of::Other("seq1core", "pnet", "raw-mux"), Bound::AtLeast(0.97)),
    claim("one-way packets ÷ raw", Of::Raw("oneway", "pnet", Figure::Rate), Bound::AtLeast(0.75)),
    claim("broadcast to 1,000 ÷ raw", Of::Raw("bcast", "pnet", Figure::Rate), Bound::AtLeast(0.85)),
    claim("bursts of 16 to 1,000 ÷ raw", Of::Raw("bcast16", "pnet", Figure::Rate), Bound::AtLeast(9.0)),
    claim("JSON calls, 64 × 16 ÷ fast-json", Of::Other("many", "pnet-json", "fast-json"), Bound::AtLeast(1.0)),
    claim("calls, 64 × 16, two threads ÷ one", Of::Threads("many", "pnet"), Bound::AtLeast(0.8)),
    claim("calls with TLS, 64 × 16 ÷ without", Of::Other("many", "pnet-tls", "pnet"), Bound::AtLeast(0.6)),
    claim("calls with TLS, 64 × 16 ÷ tonic with TLS", Of::Other("many", "pnet-tls", "tonic-tls"), Bound::AtLeast(3.0)),
    claim("items of streams ÷ raw", Of::Raw("stream", "pnet", Figure::Rate), Bound::Told),
    claim("64 KiB there and back ÷ raw", Of::Raw("echo64k", "pnet", Figure::Rate), Bound::Told),
    claim("64 KiB there and back with TLS ÷ without", Of::Other("echo64k", "pnet-tls", "pnet"), Bound::Told),
    claim("connections a second with TLS ÷ tonic with TLS", Of::Other("connect", "pnet-tls", "tonic-tls"), Bound::Told),
    claim("calls, 64 × 16 ÷ framed-json", Of::Other("many", "pnet", "framed-json"), Bound::Told),
    claim("JSON calls, 64 × 16 ÷ framed-json", Of::Other("many", "pnet-json", "framed-json"), Bound::Told),
    claim("calls, 64 × 16 ÷ tarpc with bincode", Of::Other("many", "pnet", "tarpc-bincode"), Bound::Told),
    claim("calls, 64 × 16 ÷ tarpc with JSON", Of::Other("many", "pnet", "tarpc-json"), Bound::Told),
    claim("JSON calls, 64 × 16 ÷ tarpc with bincode", Of::Other("many", "pnet-json", "tarpc-bincode"), Bound::Told),
    claim("calls, 64 × 16 ÷ tonic", Of::Other("many", "pnet", "tonic"), Bound::Told),
    claim("calls, 64 × 16 ÷ jsonrpsee", Of::Other("many", "pnet", "jsonrpsee"), Bound::Told),
    claim(
        "one call at a time, on one core ÷ tarpc with bincode",
        Of::Other("seq1core", "pnet", "tarpc-bincode"),
        Bound::Told,
    ),
];

const fn claim(what: &'static str, of: Of, bound: Bound) -> Claim {
    Claim { what, of, bound }
}

/// The claims whose contestants were there.
pub fn judge(figures: &Figures) -> Vec<Judged> {
    CLAIMS.iter().filter_map(|claim| claim.judge(figures)).collect()
}

impl Claim {
    fn judge(&self, figures: &Figures) -> Option<Judged> {
        let current = Runtime::Current;
        let measured = match self.of {
            Of::Raw(scenario, who, figure) => figures.ratio(current, scenario, who, figure),
            Of::Other(scenario, who, other) => figures.between(current, scenario, (who, other), Figure::Rate),
            Of::Threads(scenario, who) => figures.threads(scenario, who),
        }?;
        let (bound, reached) = match self.bound {
            Bound::AtLeast(bound) => (format!("≥ {bound}"), Some(measured.median >= bound)),
            Bound::AtMost(bound) => (format!("≤ {bound}"), Some(measured.median <= bound)),
            Bound::Told => (String::new(), None),
        };
        Some(Judged { what: self.what, bound, measured, reached })
    }
}

/// Whether ratios to `raw` mean anything: it has to be a limit.
#[derive(Debug, PartialEq)]
pub enum Validity {
    Valid,
    /// And why.
    Void(String),
    /// What was played does not tell, for want of this.
    Unknown(&'static str),
}

/// Judges `raw` itself, by its system calls and by its lead over the program as it is usually written.
pub fn validity(runs: &[Run], figures: &Figures) -> Validity {
    let each = raw_system_calls(runs);
    if let Some(each) = each.filter(|each| *each > MOST_SYSTEM_CALLS) {
        return Validity::Void(format!(
            "raw makes {each:.3} system calls a call at 64 in flight, not {MOST_SYSTEM_CALLS} at most"
        ));
    }
    let framed = figures.ratio(Runtime::Current, "many", "framed-json", Figure::Rate);
    let lead = framed.map(|framed| 1.0 / framed.median);
    if let Some(lead) = lead.filter(|lead| *lead < LEAST_LEAD) {
        return Validity::Void(format!(
            "raw beats the program as it is usually written {lead:.1} times, not {LEAST_LEAD}"
        ));
    }
    match (each, lead) {
        (None, _) => Validity::Unknown("`pipe64` on current_thread"),
        (_, None) => Validity::Unknown("`framed-json` in `many` on current_thread"),
        _ => Validity::Valid,
    }
}

/// System calls of `raw`'s server for each call, at 64 in flight.
pub fn raw_system_calls(runs: &[Run]) -> Option<f64> {
    let at_64 =
        |run: &&Run| run.contestant == "raw" && run.scenario.name == "pipe64" && run.runtime == Runtime::Current;
    let (calls, system_calls) = runs.iter().filter(at_64).fold((0, 0), |(calls, system_calls), run| {
        (calls + run.counted.calls, system_calls + run.counted.system_calls)
    });
    (calls > 0).then(|| system_calls as f64 / calls as f64)
}

const MOST_SYSTEM_CALLS: f64 = 0.06;
const LEAST_LEAD: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::Outcome, scenario, server::Counted};

    fn run(scenario: &str, place: usize, contestant: &'static str, done: u64, system_calls: u64) -> Run {
        let outcome = Outcome { done, nanos: 1_000_000_000, ..Outcome::default() };
        let scenario = scenario::named(scenario).unwrap();
        let (runtime, counted) = (Runtime::Current, Counted { calls: done, system_calls });
        Run { round: 0, runtime, scenario, contestant, place, outcome, server_nanos: 1, server_resident: 0, counted }
    }

    fn validity_of(framed: u64, system_calls: u64) -> Validity {
        let runs = [
            run("pipe64", 0, "raw", 1000, system_calls),
            run("many", 0, "raw", 1000, 0),
            run("many", 1, "framed-json", framed, 0),
            run("many", 2, "raw", 1000, 0),
        ];
        validity(&runs, &Figures::of(&runs))
    }

    #[test]
    fn a_raw_that_is_no_limit_voids_the_run() {
        assert_eq!(validity_of(50, 50), Validity::Valid);
        assert!(matches!(validity_of(50, 61), Validity::Void(why) if why.contains("0.061 system calls")));
        assert!(matches!(validity_of(200, 50), Validity::Void(why) if why.contains("5.0 times")));
    }

    #[test]
    fn what_was_not_played_proves_nothing() {
        let runs = [run("pipe64", 0, "raw", 1000, 50)];
        assert!(matches!(validity(&runs, &Figures::of(&runs)), Validity::Unknown(_)));
        assert!(matches!(validity(&[], &Figures::of(&[])), Validity::Unknown(_)));
    }
}
