package systemtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

func TestFilesAreWrittenReadListedAndRemoved(t *testing.T) {
	ctx, files := within(t), box(t).Files
	must(t, files.Write(ctx, "/workspace/a b.txt", []byte("grüße\n")))
	must(t, files.WriteMany(ctx, map[string][]byte{"/workspace/x/1": []byte("one"), "/workspace/x/2": []byte("two")}))
	text, err := files.ReadText(ctx, "/workspace/a b.txt")
	must(t, err)
	same(t, text, "grüße\n")
	info, err := files.Stat(ctx, "/workspace/x/1")
	must(t, err)
	same(t, info.Size, 3)
	tree, err := files.Tree(ctx, "", nil)
	must(t, err)
	same(t, tree.IsDir() && len(tree.Children) == 2, true)
	must(t, files.Mkdir(ctx, "/workspace/deep/er"))
	listed, err := files.List(ctx, "/workspace/deep", nil)
	must(t, err)
	same(t, listed[0].IsDir, true)
	must(t, files.Delete(ctx, "/workspace/x", &openmiosa.DeleteFileOptions{Recursive: true}))
	there, err := files.Exists(ctx, "/workspace/x/1")
	must(t, err)
	same(t, there, false)
}

func TestAFolderIsAFileSystem(t *testing.T) {
	ctx, files := within(t), box(t).Files
	must(t, files.WriteMany(ctx, map[string][]byte{"/workspace/x/1": []byte("one"), "/workspace/x/y/2": []byte("two")}))
	remote := files.FS(ctx, "")
	content, err := fs.ReadFile(remote, "x/y/2")
	must(t, err)
	same(t, string(content), "two")
	here := t.TempDir()
	must(t, os.CopyFS(here, remote))
	copied, err := os.ReadFile(filepath.Join(here, "x/1"))
	must(t, err)
	same(t, string(copied), "one")
	_, err = fs.Stat(remote, "nothing")
	isKind(t, err, fs.ErrNotExist)
	isKind(t, err, openmiosa.ErrNotFound)
}

func TestVariablesAreReplacedAndRemoved(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	_, err := sandbox.Env.Set(ctx, map[string]string{"A": "1", "B": "2"})
	must(t, err)
	same(t, output(t, sandbox, "echo $A$B"), "12")
	must(t, sandbox.Env.Delete(ctx, "A"))
	left, err := sandbox.Env.List(ctx)
	must(t, err)
	same(t, len(left), 1)
	same(t, left[0].Key+left[0].Value, "B2")
}

func TestASnapshotStartsAnotherSandbox(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	must(t, sandbox.Files.Write(ctx, "/workspace/kept", []byte("yes")))
	snapshot, err := sandbox.Snapshots.Create(ctx, &openmiosa.CreateSnapshotOptions{Comment: "of a test"})
	must(t, err)
	must(t, sandbox.Files.Write(ctx, "/workspace/kept", []byte("no")))
	restored, err := sandbox.Snapshots.Restore(ctx, snapshot.ID)
	must(t, err)
	defer func() { must(t, restored.Destroy(ctx)) }()
	must(t, restored.WaitUntilReady(ctx))
	same(t, output(t, restored, "cat /workspace/kept"), "yes")
	listed, err := sandbox.Snapshots.List(ctx)
	must(t, err)
	same(t, listed[0].Comment, "of a test")
	must(t, sandbox.Snapshots.Delete(ctx, snapshot.ID))
	fork, err := sandbox.Fork(ctx, nil)
	must(t, err)
	defer func() { must(t, fork.Destroy(ctx)) }()
	same(t, output(t, fork, "cat /workspace/kept"), "no")
}

func TestAPreviewIsReachable(t *testing.T) {
	ctx, sandbox := within(t), box(t)
	preview, err := sandbox.Previews.Open(ctx, 8000)
	must(t, err)
	same(t, strings.HasPrefix(preview.URL, "http"), true)
	found, err := sandbox.Previews.Get(ctx, preview.ID)
	must(t, err)
	same(t, found.Port, 8000)
	must(t, sandbox.Previews.Close(ctx, preview.ID))
	left, err := sandbox.Previews.List(ctx)
	must(t, err)
	same(t, len(left), 0)
}

func TestADownloadIsWholeOrNotThere(t *testing.T) {
	ctx, files := within(t), box(t).Files
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	must(t, files.Write(ctx, "/workspace/large", content[:512<<10]))
	local := filepath.Join(t.TempDir(), "large")
	var told int64
	must(t, files.Download(ctx, "/workspace/large", local, &openmiosa.DownloadOptions{Progress: func(done, _ int64) { told = done }}))
	read, err := os.ReadFile(local)
	must(t, err)
	same(t, bytes.Equal(read, content[:512<<10]) && told == 512<<10, true)
	isKind(t, files.Download(ctx, "/workspace/none", local+"2", nil), openmiosa.ErrNotFound)
	_, err = os.Stat(local + "2")
	isKind(t, err, fs.ErrNotExist)
}
