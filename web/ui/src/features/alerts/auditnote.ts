// The notes of an alert's history.

import type { Audit } from '@/shared/api/types'
import { tx } from '@/shared/i18n'

/** A person's note as it was written; of the system's own, which has both languages ("中文 / English"), the reader's. */
export function noteText({ actor, note }: Pick<Audit, 'actor' | 'note'>): string {
  const [zh, en, ...rest] = note.split(' / ')
  return actor || !zh || !en || rest.length ? note : tx({ zh, en })
}
