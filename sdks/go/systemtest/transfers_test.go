package systemtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

func TestALargeUploadIsAStream(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	const size = 24 << 20
	content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	var told int64
	options := &openmiosa.UploadOptions{Mode: 0o600, Size: size, Progress: func(done, total int64) { told = done * 100 / total }}
	must(t, sandbox.Files.UploadFrom(ctx, bytes.NewReader(content), "/workspace/large", options))
	same(t, told, 100)
	same(t, output(t, sandbox, "stat -c '%s %a' /workspace/large"), "25165824 600")
	sum := sha256.New()
	must(t, sandbox.Files.DownloadTo(ctx, "/workspace/large", sum, nil))
	want := sha256.Sum256(content)
	same(t, bytes.Equal(sum.Sum(nil), want[:]), true)
}

func TestAFolderGoesInWithItsPermissions(t *testing.T) {
	ctx, sandbox, local := within(t), box(t), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(local, "bin"), 0o755))
	must(t, os.WriteFile(filepath.Join(local, "bin/hello"), []byte("#!/bin/sh\necho hello $1\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(local, "name"), []byte("you"), 0o644))
	must(t, sandbox.Files.Upload(ctx, local, "/workspace/tool", nil))
	same(t, output(t, sandbox, "/workspace/tool/bin/hello $(cat /workspace/tool/name)"), "hello you")
}

func TestAnUploadOfUnknownLengthArrives(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	must(t, sandbox.Files.UploadFrom(ctx, io.MultiReader(strings.NewReader("a"), strings.NewReader("b")), "/workspace/two", nil))
	same(t, output(t, sandbox, "cat /workspace/two"), "ab")
}

func TestFoldersComeOutAsOneArchive(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	must(t, sandbox.Files.WriteMany(ctx, map[string][]byte{"/workspace/a/1": []byte("one"), "/workspace/b/2": []byte("two")}))
	var archive bytes.Buffer
	must(t, sandbox.Files.Export(ctx, &archive, "/workspace/a", "/workspace/b"))
	unpacked, err := gzip.NewReader(&archive)
	must(t, err)
	var names []string
	for reader := tar.NewReader(unpacked); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		names = append(names, header.Name)
	}
	for _, want := range []string{"a/1", "b/2"} {
		same(t, slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, want) }), true)
	}
}

func TestChangesAreSeenAsTheyHappen(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	must(t, sandbox.Files.Mkdir(ctx, "/workspace/seen"))
	// A file a second time is no creation, so the writer goes on until the watch is open and has seen one.
	process, err := sandbox.Processes.Start(ctx, openmiosa.Shell("n=0; while sleep 0.1; do n=$((n+1)); echo > /workspace/seen/$n; done"))
	must(t, err)
	defer sandbox.Processes.Stop(ctx, process.PID)
	var created string
	for change, err := range sandbox.Files.Watch(ctx, "/workspace/seen", nil) {
		must(t, err)
		if change.Event == "created" {
			created = change.Path
			break
		}
	}
	same(t, strings.HasPrefix(created, "/workspace/seen/"), true)
}

func TestASandboxSaysWhatItUsesAndHasMade(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	must(t, sandbox.Files.Write(ctx, "/workspace/artifacts/report", []byte("fine")))
	metrics, err := sandbox.Metrics(ctx)
	must(t, err)
	same(t, metrics.SandboxID == sandbox.ID() && metrics.MemoryLimitBytes > 0, true)
	usage, err := sandbox.Usage(ctx)
	must(t, err)
	same(t, usage.State, "running")
	limits, err := sandbox.Resources(ctx)
	must(t, err)
	same(t, limits.Resources.MemoryMB > 0, true)
	made, err := sandbox.Artifacts(ctx)
	must(t, err)
	same(t, made.Artifacts.Files[0].Path, "/workspace/artifacts/report")
}

func TestWhatProcessesSayIsInOneLog(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	process, err := sandbox.Processes.Start(ctx, openmiosa.Shell("echo a line; sleep 600"))
	must(t, err)
	defer sandbox.Processes.Stop(ctx, process.PID)
	var first string
	for line, err := range sandbox.LogsStream(ctx) {
		must(t, err)
		first = line
		break
	}
	same(t, first, "a line")
	logs, err := sandbox.Logs(ctx, 0)
	must(t, err)
	same(t, strings.Contains(logs, "a line\n"), true)
}
