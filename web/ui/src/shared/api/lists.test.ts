// Lists and figures that a page fetches: page by page, again and again, and what stays when a fetch fails.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { ref } from 'vue'
import { Browser } from '@/shared/testing/browser'
import { mounted } from '@/shared/testing/mount'
import { useNow } from '@/shared/time/clock'
import { useCountdown } from '@/shared/time/useCountdown'
import { useGuard } from '@/shared/ui/useGuard'
import { download, fileName } from './download'
import { usePages } from './usePages'
import { usePolled } from './usePolled'

let browser: Browser
beforeAll(() => {
  vi.useFakeTimers()
  useNow() // the page's clock ticks for the life of its module
})
afterAll(() => void vi.useRealTimers())
beforeEach(() => (browser = new Browser()))
afterEach(() => void vi.unstubAllGlobals())

const settled = () => vi.advanceTimersByTimeAsync(0)
const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => ({ id: first - i }))

test('a list goes on from its last one, and ends with a page that is not full', async () => {
  const asked: object[] = []
  const fetch = (query: { limit: number; before?: number }) => {
    asked.push(query)
    return Promise.resolve({ items: query.before ? from(query.before - 1, 1) : from(9, 2) })
  }
  const list = mounted(() => usePages(fetch, (item) => item.id, 2)).result
  expect([list.items.value, list.busy.value]).toEqual([null, true])
  await settled()
  expect([list.items.value, list.ended.value, list.busy.value]).toEqual([from(9, 2), false, false])
  await list.load(true)
  expect([list.items.value, list.ended.value]).toEqual([from(9, 3), true])
  await list.load()
  expect([asked, list.items.value]).toEqual([[{ limit: 2 }, { limit: 2, before: 8 }, { limit: 2 }], from(9, 2)])
})

test('a list keeps what it has when the next page cannot be had; an empty answer is a list', async () => {
  let answer: () => Promise<{ items: { id: number }[] | null }> = () => Promise.resolve({ items: from(9, 2) })
  const list = mounted(() => usePages(() => answer(), (item) => item.id, 2)).result
  await settled()
  answer = () => Promise.reject(new Error('away'))
  await list.load(true)
  expect([list.items.value, list.busy.value, String(list.error.value)]).toEqual([from(9, 2), false, 'Error: away'])
  answer = () => Promise.resolve({ items: null })
  await list.load()
  expect([list.items.value, list.error.value, list.ended.value]).toEqual([[], null, true])
})

test('figures are fetched while they are seen, and at once when they are seen again', async () => {
  let n = 0
  const { result } = mounted(() => usePolled(() => Promise.resolve(++n), 5000))
  await settled()
  expect([result.data.value, result.late.value]).toEqual([1, false])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(result.data.value).toBe(3)
  browser.see(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect([result.data.value, result.late.value]).toEqual([3, true]) // old by now, and it says so
  expect(Math.round(result.age.value!)).toBe(60)
  browser.see(true)
  await settled()
  expect([result.data.value, result.late.value]).toEqual([4, false])
})

test('figures that cannot be fetched stay, marked, and are tried again', async () => {
  let works = true
  const { result } = mounted(() => usePolled(() => (works ? Promise.resolve('x') : Promise.reject(new Error('away'))), 5000))
  await settled()
  works = false
  await vi.advanceTimersByTimeAsync(5000)
  expect([result.data.value, result.late.value, String(result.error.value)]).toEqual(['x', true, 'Error: away'])
  works = true
  await vi.advanceTimersByTimeAsync(5000)
  expect([result.late.value, result.error.value]).toEqual([false, null])
})

test('one request at a time, and none for a page that is left', async () => {
  let open = 0
  let answer: (v: number) => void = () => undefined
  const { result, unmount } = mounted(() => usePolled(() => (open++, new Promise<number>((done) => (answer = done))), 5000))
  void result.load()
  browser.see(true)
  await vi.advanceTimersByTimeAsync(30_000)
  expect([open, result.age.value]).toEqual([1, null])
  unmount()
  answer(1)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(open).toBe(1)
})

test('a countdown ends at nothing, and begins anew where it is told', async () => {
  const { left, hold } = mounted(useCountdown).result
  hold(3)
  expect(left.value).toBe(3)
  vi.advanceTimersByTime(2100)
  expect(left.value).toBe(1)
  hold(2)
  vi.advanceTimersByTime(1900)
  expect(left.value).toBe(1)
  vi.advanceTimersByTime(60_000)
  expect(left.value).toBe(0)
})

test('a button is guarded for a moment after what it acts on has changed', () => {
  const id = ref(1)
  const guarded = mounted(() => useGuard(id, (now) => now !== 3)).result
  expect(guarded.value).toBe(false)
  id.value = 2
  expect(guarded.value).toBe(true) // before it is drawn
  vi.advanceTimersByTime(500)
  id.value = 4
  vi.advanceTimersByTime(500)
  expect(guarded.value).toBe(true)
  vi.advanceTimersByTime(200)
  expect(guarded.value).toBe(false)
  id.value = 3 // a change that does not count
  expect(guarded.value).toBe(false)
})

test('a file is called as the server calls it', () => {
  expect(fileName("attachment; filename=\"alarms.csv\"; filename*=UTF-8''%E5%91%8A%E8%AD%A6.csv", 'x')).toBe('告警.csv')
  expect(fileName('attachment; filename="alarms.csv"', 'x')).toBe('alarms.csv')
  expect(fileName("attachment; filename=a.csv; filename*=UTF-8''%E5%91", 'x')).toBe('a.csv') // cut off
  expect([fileName(null, 'x'), fileName('attachment', 'x')]).toEqual(['x', 'x'])
})

test('a refused download is a refusal, and no file', async () => {
  const clicks: unknown[] = []
  Object.assign(browser.document, { createElement: () => ({ click: () => clicks.push(1) }) })
  vi.stubGlobal('fetch', async () => new Response('{"status":413,"code":"too-many"}', { status: 413 }))
  await expect(download('/x', 'x')).rejects.toMatchObject({ status: 413, problem: { code: 'too-many' } })
  vi.stubGlobal('fetch', async () => new Response('<html>', { status: 502, statusText: 'Bad Gateway' }))
  await expect(download('/x', 'x')).rejects.toMatchObject({ status: 502, message: 'Bad Gateway' })
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await expect(download('/x', 'x')).rejects.toMatchObject({ status: 0 })
  expect(clicks).toEqual([])
  vi.stubGlobal('fetch', async () => new Response('a,b', { headers: { 'Content-Disposition': 'attachment; filename="a.csv"', 'X-Truncated': '1' } }))
  const saved = await download('/x', 'x')
  expect([saved.name, saved.headers.get('X-Truncated'), clicks.length]).toEqual(['a.csv', '1', 1])
})
