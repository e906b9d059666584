//! Medians and quartiles.

/// What is said of the same figure in several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

/// Median and quartiles; `None` of nothing.
pub fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = part * (values.len().checked_sub(1)? as f64);
        let (below, above) = (values.get(place.floor() as usize)?, values.get(place.ceil() as usize)?);
        Some(below + (above - below) * place.fract())
    };
    Some(Spread { low: at(0.25)?, median: at(0.5)?, high: at(0.75)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_values() {
        let spread = spread([4.0, 1.0, 2.0, 3.0, 5.0]).unwrap();
        assert_eq!(spread, Spread { low: 2.0, median: 3.0, high: 4.0 });
        assert_eq!(super::spread([1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(super::spread([f64::NAN]), None);
        assert_eq!(super::spread([7.0]).unwrap(), Spread { low: 7.0, median: 7.0, high: 7.0 });
    }
}
