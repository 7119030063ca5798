// Times of forms, which are the city's whatever zone the viewer's machine is in.

import { exactTime } from '@/shared/format/format'

/** China has one zone without summer time. */
const offset = '+08:00'

/** A time as an input of type datetime-local takes it, "2026-11-23T14:03". ms: since the epoch. */
export const toCityInput = (ms: number): string => exactTime(ms).slice(0, 16).replace(' ', 'T')

/** What such an input has, in milliseconds since the epoch; null of what is no time. */
export function fromCityInput(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(text)) return null
  const ms = Date.parse(text + offset)
  return Number.isNaN(ms) ? null : ms
}
