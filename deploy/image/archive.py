"""Writes a docker-archive of one layer from local files. Nothing in it depends on when or by whom it was written."""

import argparse
import hashlib
import io
import json
import os
import struct
import sys
import tarfile

MACHINES = {62: "amd64", 183: "arm64"}  # e_machine of ELF


def architecture(path):
    with open(path, "rb") as program:
        head = program.read(64)
        machine = struct.unpack_from("<H", head, 18)[0]
        offset, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
        for index in range(count):
            program.seek(offset + index * size)
            if struct.unpack("<I", program.read(4))[0] == 3:  # PT_INTERP: it wants a dynamic linker
                sys.exit(f"error: {path} is not static: build it with RUSTFLAGS='-C target-feature=+crt-static'")
    return MACHINES[machine]


def entry(name, kind=tarfile.REGTYPE, mode=0o644, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime = kind, mode, size, 0
    return info


def write_layer(path, files):
    folders = {"tmp": 0o1777}
    for destination, _ in files:
        parts = destination.split("/")[:-1]
        for depth in range(len(parts)):
            folders.setdefault("/".join(parts[: depth + 1]), 0o755)
    with tarfile.open(path, "w") as layer:
        for name in sorted(folders):
            layer.addfile(entry(name, tarfile.DIRTYPE, folders[name]))
        for destination, source in sorted(files):
            mode = 0o755 if os.access(source, os.X_OK) else 0o644
            with open(source, "rb") as content:
                layer.addfile(entry(destination, mode=mode, size=os.path.getsize(source)), content)


def digest(path):
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def config(args, layer, arch):
    return {
        "architecture": arch,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": ["/bin/ck8s"],
            "Env": ["PATH=/bin"],
            "User": "65532:65532",
            "Labels": {
                "org.opencontainers.image.title": "ck8s",
                "org.opencontainers.image.version": args.version,
                "org.opencontainers.image.revision": args.revision,
                **({"org.opencontainers.image.source": args.source} if args.source else {}),
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + layer]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "deploy/image/build"}],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("out", "tag", "version", "revision"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--source", default="")
    parser.add_argument("files", nargs="+", metavar="DEST=FILE")
    args = parser.parse_args()
    files = [file.split("=", 1) for file in args.files]
    arch = architecture(dict(files)["bin/ck8s"])
    layer_path = args.out + ".layer"
    try:
        write_layer(layer_path, files)
        layer = digest(layer_path)
        text = json.dumps(config(args, layer, arch), sort_keys=True).encode()
        key = hashlib.sha256(text).hexdigest()
        manifest = [{"Config": key + ".json", "RepoTags": [args.tag], "Layers": [layer + "/layer.tar"]}]
        with tarfile.open(args.out, "w") as image:
            for name, content in ((key + ".json", text), ("manifest.json", json.dumps(manifest).encode())):
                image.addfile(entry(name, size=len(content)), io.BytesIO(content))
            with open(layer_path, "rb") as content:
                image.addfile(entry(layer + "/layer.tar", size=os.path.getsize(layer_path)), content)
    finally:
        if os.path.exists(layer_path):
            os.unlink(layer_path)


if __name__ == "__main__":
    main()
