//! Whether a quota can ever allow a pod. Pure.

/// Whether a message `exceeded quota: …, requested: a=1, used: a=2, limited: a=3` says that the request alone is more
/// than the quota's limit.
pub(crate) fn never_fits(message: &str) -> bool {
    let list = |name: &str| {
        let (_, rest) = message.split_once(&format!("{name}: "))?;
        Some(rest.split(", ").next().unwrap_or(rest))
    };
    let (Some(requested), Some(limited)) = (list("requested"), list("limited")) else {
        return false;
    };
    let limit_of = |resource: &str| {
        let mut limits = limited.split(',').filter_map(|limit| limit.split_once('='));
        limits
            .find(|(name, _)| *name == resource)
            .and_then(|(_, value)| quantity(value))
    };
    let mut requests = requested
        .split(',')
        .filter_map(|request| request.split_once('='));
    requests.any(|(resource, value)| {
        matches!((quantity(value), limit_of(resource)), (Some(request), Some(limit)) if request > limit)
    })
}

/// Reads a quantity as Kubernetes writes it.
fn quantity(text: &str) -> Option<f64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match suffix {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_above_the_limit_never_fits() {
        let fits = |requested, limited| {
            !never_fits(&format!(
                "exceeded quota: ck8s, requested: {requested}, used: limits.cpu=150,pods=3, limited: {limited}"
            ))
        };
        assert!(fits("limits.cpu=100", "limits.cpu=200"));
        assert!(fits("limits.memory=1Gi", "limits.memory=1073741824"));
        assert!(!fits("limits.cpu=1k,pods=1", "limits.cpu=200,pods=200"));
        assert!(!fits("pods=1", "pods=0"));
        assert!(fits("requests.cpu=500m", "requests.cpu=1"));
        assert!(!never_fits("exceeded quota: ck8s"));
    }
}
