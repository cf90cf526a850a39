import { ERROR_CODE } from '../wire/layout.js'

/** Errors after which a peer is of no use, in words. NOT_LISTED is not one: our entry is on its way to it. */
export const FATAL_ERRORS: Readonly<Record<number, string>> = {
  [ERROR_CODE.NO_SUCH_ROOT]: 'does not have the file',
  [ERROR_CODE.FILE_LOST]: 'can not read the file any more',
  [ERROR_CODE.TOO_MANY_UPLOADS]: 'serves too many already',
}
