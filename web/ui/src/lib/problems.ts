// A refused change in the words of the person who made it.

import { ApiError } from '../api/client'
import { t } from '../i18n'

/** The fields at fault with what is wrong with them, as the server named them. */
export function fieldFaults(error: unknown): Map<string, string> {
  const faults = new Map<string, string>()
  if (!(error instanceof ApiError)) return faults
  const { field, detail, errors } = error.problem
  for (const fault of errors ?? []) faults.set(fault.field, fault.detail)
  if (!faults.size && field && (error.status === 400 || error.status === 422)) faults.set(field, detail ?? '')
  return faults
}

/** Whether somebody else was faster, so that the newest must be looked at first. */
export const isOutdated = (error: unknown) => error instanceof ApiError && error.status === 412

export function problemText(error: unknown): string {
  if (!(error instanceof ApiError)) return t('admin.problem.other', { detail: error instanceof Error ? error.message : String(error) })
  const faults = [...fieldFaults(error)].map(([field, detail]) => t('admin.problem.field', { field, detail })).join('; ')
  if (isOutdated(error)) return t('admin.problem.precondition')
  if (error.status === 0) return t('admin.problem.away')
  if (error.status === 403) return t('admin.problem.forbidden', { detail: error.message })
  if (error.status === 409) return t('admin.problem.conflict', { detail: error.message })
  return t('admin.problem.other', { detail: faults || error.message })
}
