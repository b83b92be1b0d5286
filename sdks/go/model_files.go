// Records of files.

package openmiosa

import "time"

// FileInfo is a file or folder.
type FileInfo struct {
	Record     `json:"-"`
	Path       string    `json:"path" required:"true"`
	Name       string    `json:"name"`
	Size       int64     `json:"size"`
	Type       string    `json:"type"`
	IsDir      bool      `json:"is_dir"`
	IsSymlink  bool      `json:"is_symlink"`
	Target     string    `json:"target"`
	Mode       string    `json:"mode"`
	ModifiedAt time.Time `json:"modified_at"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *FileInfo) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r FileInfo) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// FileChange is something that happened to a file or folder that is watched.
type FileChange struct {
	Record    `json:"-"`
	Event     string `json:"event" required:"true"`
	Path      string `json:"path" required:"true"`
	OldPath   string `json:"old_path"`
	IsDir     bool   `json:"is_dir"`
	SizeBytes int64  `json:"size_bytes"`
	Message   string `json:"message"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *FileChange) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r FileChange) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// FileTree is a folder with what is in it, or a file.
type FileTree struct {
	Record     `json:"-"`
	Path       string     `json:"path" required:"true"`
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	Size       int64      `json:"size"`
	ModifiedAt time.Time  `json:"modified_at"`
	Children   []FileTree `json:"children"`
}

// UnmarshalJSON keeps what it does not know in Extra.
func (r *FileTree) UnmarshalJSON(data []byte) error { return readRecord(data, r, &r.Record) }

// MarshalJSON writes back all that came.
func (r FileTree) MarshalJSON() ([]byte, error) { return writeRecord(r, r.Record) }

// IsDir says whether it is a folder.
func (r *FileTree) IsDir() bool { return r.Type == "dir" }
