//! The process's limits: its files, of which one connection is one, and its memory.
use std::{fs, path::Path};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one; it is often 1,024. Best effort.
pub(crate) fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // macOS refuses an unlimited soft limit; what it allows is 10,240.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
            .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, hard.min(10_240).max(soft), hard));
    }
}

/// Returns how many files the process may have open.
pub(crate) fn open_files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft)
}

/// Returns the memory that the process may use: what its control group allows, and no more than the machine has. None:
/// the system does not say.
pub(crate) fn memory_bytes() -> Option<u64> {
    memory_below(Path::new("/"))
}

fn memory_below(root: &Path) -> Option<u64> {
    let machine = machine_bytes(&fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default());
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| group_limits(root, line));
    limits.chain(machine).min()
}

/// Returns the limits of the control group in a line of `/proc/self/cgroup`, and of those that it lies in. Version 2
/// has one hierarchy (`0::/path`), version 1 one for each controller (`5:memory:/path`).
fn group_limits(root: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    let (mount, file) = if controllers.is_empty() {
        ("sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|name| name == "memory") {
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return Vec::new();
    };
    // Where the path is that of another namespace, the group itself is mounted at the top.
    let path = Path::new(path.trim_start_matches('/'));
    let groups = path.ancestors().map(|group| root.join(mount).join(group));
    let limit = |group: std::path::PathBuf| {
        let text = fs::read_to_string(group.join(file)).ok()?;
        // `max` is no limit; version 1 has a number beyond any machine's memory.
        text.trim().parse().ok()
    };
    groups.filter_map(limit).collect()
}

/// Returns the machine's memory: `MemTotal` in kibibytes.
fn machine_bytes(meminfo: &str) -> Option<u64> {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:        8000000 kB\nMemFree: 1 kB\n",
    );

    fn memory(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        memory_below(root.path())
    }

    #[test]
    fn a_group_of_version_2_and_those_around_it_count() {
        let group = ("proc/self/cgroup", "0::/kubepods/pod1/c1\n");
        let own = ("sys/fs/cgroup/kubepods/pod1/c1/memory.max", "max\n");
        let pod = ("sys/fs/cgroup/kubepods/pod1/memory.max", "536870912\n");
        assert_eq!(memory(&[MACHINE, group, own, pod]), Some(536_870_912));
        let own = ("sys/fs/cgroup/kubepods/pod1/c1/memory.max", "268435456\n");
        assert_eq!(memory(&[MACHINE, group, own, pod]), Some(268_435_456));
        let inside = ("proc/self/cgroup", "0::/\n");
        let own = ("sys/fs/cgroup/memory.max", "134217728\n");
        assert_eq!(memory(&[MACHINE, inside, own]), Some(134_217_728));
    }

    #[test]
    fn a_group_of_version_1_counts_wherever_it_is_mounted() {
        let group = (
            "proc/self/cgroup",
            "6:cpu,cpuacct:/docker/x\n5:memory:/docker/x\n0::/\n",
        );
        let mounted = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
        assert_eq!(memory(&[MACHINE, group, mounted]), Some(536_870_912));
        let below = (
            "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
            "268435456\n",
        );
        let top = (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        assert_eq!(memory(&[MACHINE, group, below, top]), Some(268_435_456));
    }

    #[test]
    fn without_a_limit_the_machine_counts() {
        let group = ("proc/self/cgroup", "0::/user.slice\n");
        let none = ("sys/fs/cgroup/user.slice/memory.max", "max\n");
        assert_eq!(memory(&[MACHINE, group, none]), Some(8_192_000_000));
        assert_eq!(memory(&[]), None);
    }
}
