// How times, numbers and places are written, in the language shown and the city's zone.

import type { Text } from '@/shared/api/types'
import { language, t } from '@/shared/i18n'

export const timeZone = 'Asia/Shanghai'

const zones = new Map<string, Intl.DateTimeFormat>()

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const locale = language() === 'zh' ? 'zh-CN' : 'en-GB'
  const key = locale + JSON.stringify(options)
  let f = zones.get(key)
  if (!f) zones.set(key, (f = new Intl.DateTimeFormat(locale, { timeZone, hourCycle: 'h23', ...options })))
  return f
}

/** The exact time, as "2026-11-23 14:03:22", in the city's zone whatever the viewer's is. */
export function exactTime(time: string | number | null | undefined): string {
  const ms = typeof time === 'string' ? Date.parse(time) : time
  if (ms === null || ms === undefined || Number.isNaN(ms)) return '–'
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(ms)
  const get = (type: string) => parts.find((p) => p.type === type)?.value ?? ''
  return `${get('year')}-${get('month')}-${get('day')} ${get('hour')}:${get('minute')}:${get('second')}`
}

/** "14:03:22" in the city's zone. */
export function clockTime(ms: number): string {
  return format({ hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms)
}

/** "11月23日 星期一" or "Mon 23 Nov". */
export function clockDate(ms: number): string {
  return format({ month: language() === 'zh' ? 'long' : 'short', day: 'numeric', weekday: 'short' }).format(ms)
}

/** The label of a time axis: the hour, or the day where the axis spans more than two of them. */
export function axisTime(ms: number, spanMs = 0): string {
  if (spanMs > 48 * 3600_000) return format({ month: '2-digit', day: '2-digit' }).format(ms)
  return format({ hour: '2-digit', minute: '2-digit' }).format(ms)
}

/** The date alone, as "2026-11-23". */
export function dateOnly(time: string | null | undefined): string {
  return exactTime(time).slice(0, 10)
}

/** What is left of a time, to the minute from a minute on: "1 小时 59 分", "45 秒", "3 天 2 小时". ms: its length. */
export function timeLeft(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 60) return t('time.leftSeconds', { n: s })
  const minutes = Math.round(s / 60)
  if (minutes < 60) return t('time.leftMinutes', { n: minutes })
  const hours = Math.round(s / 3600)
  if (hours >= 48) {
    const days = Math.floor(hours / 24)
    return hours % 24 ? t('time.leftDaysHours', { n: days, h: hours % 24 }) : t('time.leftDays', { n: days })
  }
  const h = Math.floor(minutes / 60)
  return minutes % 60 ? t('time.leftHoursMinutes', { n: h, m: minutes % 60 }) : t('time.leftHours', { n: h })
}

/** A time that ends something, as "03:37（还有 1 小时 59 分）"; with its date where that is not today's in the city. */
export function until(time: string | number | null | undefined, now: number): string {
  const ms = typeof time === 'string' ? Date.parse(time) : time
  if (ms === null || ms === undefined || Number.isNaN(ms)) return '–'
  const exact = exactTime(ms)
  const today = exactTime(now)
  const said = exact.slice(0, 10) === today.slice(0, 10) ? exact.slice(11, 16) : exact.slice(exact.slice(0, 4) === today.slice(0, 4) ? 5 : 0, 16)
  return ms > now ? t('time.until', { time: said, left: timeLeft(ms - now) }) : t('time.untilPast', { time: said })
}

/** "3 分钟前". Under two seconds is "just now"; the future is said as such, to the minute. */
export function relativeTime(time: string | number | null | undefined, now: number): string {
  const ms = typeof time === 'string' ? Date.parse(time) : time
  if (ms === null || ms === undefined || Number.isNaN(ms)) return t('time.never')
  const s = Math.round((now - ms) / 1000)
  const a = Math.abs(s)
  if (a < 2) return t('time.now')
  if (s < 0) return t('time.in', { left: timeLeft(ms - now) })
  if (a < 60) return t('time.seconds', { n: a })
  if (a < 3600) return t('time.minutes', { n: Math.floor(a / 60) })
  if (a < 86_400 * 2) return t('time.hours', { n: Math.floor(a / 3600) })
  return t('time.days', { n: Math.floor(a / 86_400) })
}

/** A measured value with its unit; decimals as its type has them, at most three where unknown. */
export function measured(value: number, symbol: string, decimals?: number): string {
  const text = new Intl.NumberFormat(language() === 'zh' ? 'zh-CN' : 'en-GB', {
    minimumFractionDigits: decimals ?? 0,
    maximumFractionDigits: decimals ?? 3,
  }).format(value)
  return symbol ? `${text} ${symbol}` : text
}

export function integer(value: number): string {
  return new Intl.NumberFormat(language() === 'zh' ? 'zh-CN' : 'en-GB').format(value)
}

/** A size as "12.3 MiB"; whole bytes below a KiB. */
export function byteSize(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  if (bytes < 1024) return `${integer(bytes)} B`
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10))
  return measured(Number((bytes / 1024 ** power).toPrecision(3)), units[power - 1]!)
}

/** A rate, or a mean, as "18,342", "12.5" or "0.2"; none is a dash. */
export function rate(value: number | null): string {
  if (value === null) return '–'
  return Math.abs(value) >= 100 ? integer(Math.round(value)) : integer(Number(value.toFixed(1)))
}

/** Milliseconds as "0.4 ms", "12 ms", "1.2 s". */
export function milliseconds(ms: number): string {
  return ms > 0 && ms < 9.95 ? measured(Number(ms.toFixed(1)), 'ms') : span(ms / 1000)
}

/** A span as "12 ms", "0.8 s" or "3 min"; seconds in. */
export function span(seconds: number): string {
  if (!(seconds > 0)) return '0 ms'
  if (seconds < 0.0995) return `${Math.max(1, Math.round(seconds * 1000))} ms`
  if (seconds < 100) return measured(Number(seconds.toPrecision(2)), 's')
  if (seconds < 5400) return t('time.spanMinutes', { n: Math.round(seconds / 60) })
  return t('time.spanHours', { n: Math.round(seconds / 3600) })
}

/** "121.3914° E, 37.5390° N". lon, lat in degrees. */
export function coordinates(lon: number, lat: number, digits = 4): string {
  return `${Math.abs(lon).toFixed(digits)}° ${lon < 0 ? 'W' : 'E'}, ${Math.abs(lat).toFixed(digits)}° ${lat < 0 ? 'S' : 'N'}`
}

/** A property of a feature as its card shows it, with all its digits. */
export function fieldValue(value: unknown, unit?: string): string {
  if (value === null || value === undefined || value === '') return '–'
  if (typeof value === 'number') {
    const text = new Intl.NumberFormat(language() === 'zh' ? 'zh-CN' : 'en-GB', { maximumFractionDigits: 20 }).format(value)
    return unit ? `${text} ${unit}` : text
  }
  if (typeof value === 'boolean') return value ? t('field.yes') : t('field.no')
  if (typeof value === 'object') {
    const text = value as Partial<Text>
    if (typeof text.zh === 'string' || typeof text.en === 'string') {
      return (language() === 'en' ? text.en || text.zh : text.zh || text.en) ?? '–'
    }
    return JSON.stringify(value)
  }
  return unit ? `${String(value)} ${unit}` : String(value)
}
