// What the file system's error codes mean, in words for one line.
import { FileError } from '../errors.js'

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ELOOP: 'it is a symbolic link',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the disk is read-only',
  EFBIG: 'the file is too large for this disk',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
  EIO: 'the disk fails',
}

/** @param error whatever a call of node:fs threw */
export function faultWords(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return (code !== undefined && WORDS[code]) || message
}

/** @param doing as in "can't read" */
export function fileError(doing: string, path: string, error: unknown): FileError {
  return new FileError(`can't ${doing} ${path}: ${faultWords(error)}`)
}
