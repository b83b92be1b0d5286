/** Records of files. */

import { type Codec, flag, later, list, type Model, maybe, model, moment, needed, number, or, text } from "./record.js";

/** A file or folder. */
export interface FileInfo extends Model {
  readonly path: string;
  readonly name?: string;
  readonly size: number;
  readonly isDir: boolean;
  readonly isSymlink: boolean;
  readonly mode?: string;
  readonly type?: string;
  /** Where a symbolic link leads. */
  readonly target?: string;
  readonly modifiedAt?: Date;
}

/** Something that happened to a file or folder that is watched. */
export interface FileChange extends Model {
  readonly event: string;
  readonly path: string;
  readonly oldPath?: string;
  readonly isDir: boolean;
  readonly sizeBytes?: number;
  /** What an `overflow`, after which some changes are lost, says of itself. */
  readonly message?: string;
}

/** A folder with what is in it, or a file. */
export interface FileTree extends Model {
  readonly path: string;
  readonly name?: string;
  readonly type: string;
  readonly size?: number;
  readonly modifiedAt?: Date;
  readonly children: readonly FileTree[];
  /** Whether it is a folder. */
  readonly isDir: boolean;
}

export const FileInfo = model<FileInfo>("FileInfo", {
  path: needed(text),
  name: maybe(text),
  size: or(number, 0),
  isDir: or(flag, false),
  isSymlink: or(flag, false),
  mode: maybe(text),
  type: maybe(text),
  target: maybe(text),
  modifiedAt: maybe(moment),
});

export const FileChange = model<FileChange>("FileChange", {
  event: needed(text),
  path: needed(text),
  oldPath: maybe(text),
  isDir: or(flag, false),
  sizeBytes: maybe(number),
  message: maybe(text),
});

export const FileTree: Codec<FileTree> = model<FileTree, "isDir">(
  "FileTree",
  {
    path: needed(text),
    name: maybe(text),
    type: or(text, "file"),
    size: maybe(number),
    modifiedAt: maybe(moment),
    children: or(list(later(() => FileTree)), []),
  },
  {
    get isDir() {
      return this.type === "dir";
    },
  },
);
