// Devices that are heard of and whose readings the rules do not look at: what device.unevaluated events say,
// applied to the devices held, and the words of it.

import type { Device } from '@/shared/api/types'
import type { UnevaluatedChange, UnevaluatedEvent } from '@/shared/live/frames'
import { t } from '@/shared/i18n'

const reasons = ['late', 'bad', 'quarantine'] as const
type Reason = (typeof reasons)[number]

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)
const isReason = (v: unknown): v is Reason => reasons.some((r) => r === v)

function isChange(v: unknown): v is UnevaluatedChange {
  return isObject(v) && typeof v.device === 'string' && typeof v.reason === 'string' && typeof v.since === 'string'
}

/** The payload of a device.unevaluated event; null when it cannot be read, so that everything must be asked for. */
export function unevaluatedEvent(payload: unknown): UnevaluatedEvent | null {
  if (!isObject(payload) || !Array.isArray(payload.changes) || !payload.changes.every(isChange)) return null
  return { changes: payload.changes, more: typeof payload.more === 'number' ? payload.more : 0 }
}

/** Applies an event; tells whether anything changed. */
export function applyUnevaluated(devices: ReadonlyMap<string, Device>, event: UnevaluatedEvent): boolean {
  let changed = false
  for (const c of event.changes) {
    const device = devices.get(c.device)
    if (!device) continue
    device.unevaluated = c.reason
    device.unevaluated_since = c.reason ? c.since : undefined
    changed = true
  }
  return changed
}

/** "Readings not evaluated: …"; empty when they are. */
export function unevaluatedWords(device: Pick<Device, 'unevaluated'>): string {
  if (!device.unevaluated) return ''
  return isReason(device.unevaluated) ? t(`unevaluated.why.${device.unevaluated}`) : t('unevaluated.mark')
}
