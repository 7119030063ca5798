// A refused change in the words of the person who made it.

import { ApiError } from './client'
import type { FieldDetail } from './types'
import { t } from '@/shared/i18n'
import { sentence } from './faults'

/** In the reader's language where the server gives a code, in its English otherwise. */
const worded = ({ code, params, detail }: Partial<FieldDetail>) => sentence({ code: code ?? '', params }) ?? detail ?? ''

/** The fields at fault, as the server named them, with what is wrong with them. */
export function fieldFaults(error: unknown): Map<string, string> {
  const faults = new Map<string, string>()
  if (!(error instanceof ApiError)) return faults
  const { field, errors } = error.problem
  for (const fault of errors ?? []) faults.set(fault.field, worded(fault))
  if (!faults.size && field) faults.set(field, worded(error.problem))
  return faults
}

/** Whether all that is wrong stands at fields that the form has; what does not is said for the form as a whole. */
export function standsAtFields(error: unknown, has: (field: string) => boolean): boolean {
  const faults = fieldFaults(error)
  return faults.size > 0 && [...faults.keys()].every(has)
}

/** What is wrong with the one field of a form, which needs no name. */
export const onlyFieldText = (error: unknown) => [...fieldFaults(error).values()].join(t('faultSeparator')) || problemText(error)

/** Whether somebody else was faster, so that the newest must be looked at first. */
export const isOutdated = (error: unknown) => error instanceof ApiError && error.status === 412

export function problemText(error: unknown): string {
  if (!(error instanceof ApiError)) return t('admin.problem.other', { detail: error instanceof Error ? error.message : String(error) })
  const faults = [...(error.status === 400 || error.status === 422 ? fieldFaults(error) : [])].map(([field, detail]) => t('admin.problem.field', { field, detail })).join(t('faultSeparator'))
  const detail = worded(error.problem) || error.message
  if (isOutdated(error)) return t('admin.problem.precondition')
  if (error.status === 0) return t('admin.problem.away')
  if (error.status === 403) return t('admin.problem.forbidden', { detail })
  if (error.status === 409) return t('admin.problem.conflict', { detail })
  return t('admin.problem.other', { detail: faults || detail })
}
