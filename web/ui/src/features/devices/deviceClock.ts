// By how much a device's clock is wrong, in words.

import { t } from '@/shared/i18n'
import { integer } from '@/shared/format/format'

const units = [
  ['clock.weeks', 604_800],
  ['clock.days', 86_400],
  ['clock.hours', 3600],
  ['clock.minutes', 60],
  ['clock.seconds', 1],
] as const

/** The largest unit of which there are two or more, with the seconds that one of it has. */
function unitOf(seconds: number) {
  return units.find(([, size]) => seconds >= 2 * size) ?? units[units.length - 1]!
}

/** "clock 1,024 weeks behind"; empty when it is right. offset is the device's time less ours, seconds. */
export function clockWords(offset: number): string {
  const seconds = Math.round(Math.abs(offset))
  if (!seconds) return ''
  const [unit, size] = unitOf(seconds)
  const n = integer(Math.round(seconds / size))
  return t(offset < 0 ? 'clock.behind' : 'clock.ahead', { by: t(unit, { n }) })
}
