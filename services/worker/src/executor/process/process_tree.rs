//! The tree of processes, read from /proc: descendants of a process, members of a session.
use std::{collections::HashMap, fs};

use nix::unistd::Pid;

/// Returns all descendants of a process.
pub(super) fn descendants(of: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for stat in all_processes() {
        children.entry(stat.parent).or_default().push(stat.pid);
    }
    let (mut descendants, mut parents) = (Vec::new(), vec![of.as_raw()]);
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            descendants.push(Pid::from_raw(child));
            parents.push(child);
        }
    }
    descendants
}

/// Returns all living processes of a session.
pub(super) fn session_members(session: Pid) -> Vec<Pid> {
    all_processes()
        .filter(|stat| stat.session == session.as_raw() && stat.state != 'Z')
        .map(|stat| Pid::from_raw(stat.pid))
        .collect()
}

/// What /proc says about a process.
struct ProcessStat {
    pid: i32,
    state: char,
    parent: i32,
    session: i32,
}

fn all_processes() -> impl Iterator<Item = ProcessStat> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name stands in parentheses and may contain anything.
            let mut fields = text.rsplit_once(')')?.1.split_whitespace();
            Some(ProcessStat {
                pid,
                state: fields.next()?.chars().next()?,
                parent: fields.next()?.parse().ok()?,
                session: fields.nth(1)?.parse().ok()?,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_descends_from_this_process() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("starts");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("fits"));
        assert!(descendants(Pid::this()).contains(&pid));
        child.kill().expect("ends");
        child.wait().expect("is reaped");
        assert!(!descendants(Pid::this()).contains(&pid));
    }
}
