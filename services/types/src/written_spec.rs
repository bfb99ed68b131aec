//! What people may write into a spec, wherever they write it: in services.yaml, or when they start a run by hand. A
//! stored spec may be older than a rule, and is not held to it.
use std::net::IpAddr;

use super::spec::{Invalid, RunSpec};

impl RunSpec {
    /// Checks the texts that only Kubernetes reads: what it would refuse later is refused now.
    ///
    /// # Errors
    /// [`Invalid`] names the first field that is not valid, and what it may be.
    pub fn check_written(&self) -> Result<(), Invalid> {
        let invalid = |field, problem: String| Err(Invalid { field, problem });
        if self
            .image
            .contains(|c: char| c.is_whitespace() || c.is_control())
        {
            let problem = format!("{:?} is no image: it holds blanks", self.image);
            return invalid("spec.image", problem);
        }
        if !self.cpu.is_empty() && !is_cpu(&self.cpu) {
            let problem = format!("{:?} is no amount of CPU: write 500m or 2", self.cpu);
            return invalid("spec.cpu", problem);
        }
        if !self.memory.is_empty() && !is_memory(&self.memory) {
            let problem = format!(
                "{:?} is no amount of memory: write 512Mi or 4Gi",
                self.memory
            );
            return invalid("spec.memory", problem);
        }
        if let Some(host) = self.egress.iter().find(|host| !is_egress(host)) {
            let problem = format!("{host:?} is no host: write host:port, CIDR or CIDR:port");
            return invalid("spec.egress", problem);
        }
        Ok(())
    }
}

/// Returns whether a text is a number above zero: digits, perhaps a dot and more digits.
fn is_amount(number: &str) -> bool {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |t: &str| (1..=12).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part) && number.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

/// Whether a text is an amount of CPU as Kubernetes writes it: `500m`, `2`.
#[must_use]
pub fn is_cpu(text: &str) -> bool {
    is_amount(text.strip_suffix('m').unwrap_or(text))
}

/// Whether a text is an amount of memory as Kubernetes writes it: `512Mi`, `4Gi`.
#[must_use]
pub fn is_memory(text: &str) -> bool {
    let units = ["Ki", "Mi", "Gi", "Ti", "k", "M", "G", "T"];
    is_amount(
        units
            .iter()
            .find_map(|u| text.strip_suffix(u))
            .unwrap_or(text),
    )
}

/// Whether a text names what a run may reach: `host:port`, a range (`10.0.0.0/8`), or a range and a port
/// (`10.0.0.0/8:443`, `[2001:db8::/32]:443`).
#[must_use]
pub fn is_egress(text: &str) -> bool {
    if is_host_and_port(text) || is_range(text) {
        return true;
    }
    let Some((range, port)) = text.rsplit_once(':') else {
        return false;
    };
    let range = match range.strip_prefix('[') {
        Some(range) => range.strip_suffix(']'),
        None => Some(range).filter(|range| !range.contains(':')),
    };
    range.is_some_and(is_range) && is_port(port)
}

fn is_range(text: &str) -> bool {
    let Some((ip, bits)) = text.split_once('/') else {
        return false;
    };
    let max_bits = match ip.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    is_digits(bits) && bits.parse::<u8>().is_ok_and(|bits| bits <= max_bits)
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let name = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b == b'-' || b.is_ascii_alphanumeric())
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(name) && is_port(port)
}

fn is_port(text: &str) -> bool {
    is_digits(text) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_would_refuse_is_refused_with_its_field() {
        let spec = |change: fn(&mut RunSpec)| {
            let mut spec = RunSpec {
                image: "busybox:1".to_owned(),
                cpu: "500m".to_owned(),
                memory: "512Mi".to_owned(),
                egress: vec![
                    "api.example.com:443".to_owned(),
                    "10.0.0.0/8:443".to_owned(),
                ],
                ..RunSpec::default()
            };
            change(&mut spec);
            spec.check_written().map_err(|invalid| invalid.field)
        };
        assert_eq!(spec(|_| {}), Ok(()));
        assert_eq!(spec(|s| s.memory = "512m".to_owned()), Err("spec.memory"));
        assert_eq!(spec(|s| s.cpu = "abc".to_owned()), Err("spec.cpu"));
        assert_eq!(
            spec(|s| s.image = "busybox:1 ".to_owned()),
            Err("spec.image")
        );
        assert_eq!(
            spec(|s| s.egress = vec!["a b:1".to_owned()]),
            Err("spec.egress")
        );
    }

    #[test]
    fn egress_is_a_host_or_a_range_with_a_port_or_without() {
        for text in [
            "10.0.0.0/8",
            "10.0.0.0/8:443",
            "[2001:db8::/32]:443",
            "2001:db8::/32",
            "host:80",
            "192.0.2.7:80",
        ] {
            assert!(is_egress(text), "{text}");
        }
        for text in [
            "host",
            "192.0.2.7",
            "host:0",
            "host:+80",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "2001:db8::/32:443",
            "[10.0.0.0/8:1",
        ] {
            assert!(!is_egress(text), "{text}");
        }
    }
}
