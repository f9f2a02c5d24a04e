// Command image writes nvad as an OCI image for several architectures, without a daemon that
// builds it.
//
//	image -version V -programs DIR -out DIR [-arch amd64,arm64]
//
// DIR/ARCH has nvad and nvactl. Into -out go nvad_V_ARCH.image.tar for each architecture, which
// podman and docker load, and nvad_V.oci, an OCI image layout with an index of all of them,
// which skopeo and others copy to a registry.
//
// The image is empty but for the two programs and the directories that they need. The output
// is reproducible: all dates are SOURCE_DATE_EPOCH.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// user is the one that the programs run as, and its group: any number that the machine does
// not use itself.
const user = 65532

func main() {
	version := flag.String("version", "", "`VERSION` of the image")
	programs := flag.String("programs", "", "`DIR` with ARCH/nvad and ARCH/nvactl")
	out := flag.String("out", "dist", "`DIR` to write to")
	arches := flag.String("arch", "amd64,arm64", "architectures")
	flag.Parse()
	if err := write(*version, *programs, *out, strings.Split(*arches, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func write(version, programs, out string, arches []string) error {
	if version == "" || programs == "" {
		return errors.New("-version and -programs are required")
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	made := time.Unix(seconds, 0).UTC()
	// A tag may not contain the "+" of versions between releases.
	tag, err := name.NewTag("nvad:" + strings.ReplaceAll(version, "+", "-"))
	if err != nil {
		return err
	}
	var index v1.ImageIndex = empty.Index
	for _, arch := range arches {
		img, err := image(version, arch, filepath.Join(programs, arch), made)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		if err := tarball.WriteToFile(filepath.Join(out, fmt.Sprintf("nvad_%s_%s.image.tar", version, arch)), tag, img); err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	dir := filepath.Join(out, "nvad_"+version+".oci")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	_, err = layout.Write(dir, index)
	return err
}

func image(version, arch, programs string, made time.Time) (v1.Image, error) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		files, err := files(programs, made)
		return io.NopCloser(bytes.NewReader(files)), err
	})
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: made}, CreatedBy: "make image"}})
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, config(img, version, arch, made))
}

// config says how the programs are started. The health check is that of nvactl: it fails
// while this NVA should not carry traffic.
func config(img v1.Image, version, arch string, made time.Time) *v1.ConfigFile {
	file, _ := img.ConfigFile() // of an image in memory
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, v1.Time{Time: made}
	file.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", user, user),
		Env:        []string{"PATH=/usr/bin"},
		Entrypoint: []string{"/usr/bin/nvad"},
		Cmd:        []string{"--config", "/etc/nvad/nvad.toml"},
		Healthcheck: &v1.HealthConfig{
			Test: []string{"CMD", "/usr/bin/nvactl", "health"}, Interval: 10 * time.Second, Timeout: 5 * time.Second,
			StartPeriod: 2 * time.Minute, Retries: 3,
		},
		Volumes:    map[string]struct{}{"/var/lib/nvad": {}},
		StopSignal: "SIGTERM",
		Labels: map[string]string{
			"org.opencontainers.image.title":    "nvad",
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source":   "https://github.com/nvad/nvad",
		},
	}
	return file
}

// files returns the contents of the image as an archive.
func files(programs string, made time.Time) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(name string, mode int64, owner int, data []byte) error {
		h := &tar.Header{Name: name, Mode: mode, Uid: owner, Gid: owner, Size: int64(len(data)), ModTime: made, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(data)
		return err
	}
	var errs []error
	for _, dir := range []string{"etc/", "etc/nvad/", "run/", "tmp/", "usr/", "usr/bin/", "var/", "var/lib/"} {
		errs = append(errs, add(dir, 0o755, 0, nil))
	}
	for _, dir := range []string{"run/nvad/", "var/lib/nvad/"} {
		errs = append(errs, add(dir, 0o750, user, nil))
	}
	line := fmt.Appendf(nil, "nvad:x:%d:%d:nvad:/var/lib/nvad:/usr/bin/nvad\n", user, user)
	errs = append(errs, add("etc/passwd", 0o644, 0, append([]byte("root:x:0:0:root:/:/usr/bin/nvad\n"), line...)),
		add("etc/group", 0o644, 0, fmt.Appendf(nil, "root:x:0:\nnvad:x:%d:\n", user)))
	for _, program := range []string{"nvad", "nvactl"} {
		data, err := os.ReadFile(filepath.Join(programs, program))
		errs = append(errs, err, add("usr/bin/"+program, 0o755, 0, data))
	}
	errs = append(errs, w.Close())
	return buf.Bytes(), errors.Join(errs...)
}
