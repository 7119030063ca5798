import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { exportUrl } from '@/shared/api/endpoints'
import { anAlert } from '@/shared/testing/fixtures'
import { mounted } from '@/shared/testing/mount'
import { aServer, refusal, type Call } from '@/shared/testing/server'
import { queryOf } from './historyfilter'
import { useHistory } from './useHistory'

beforeAll(() => void vi.useFakeTimers())
afterAll(() => void vi.useRealTimers())
afterEach(() => void vi.unstubAllGlobals())

const alerts = (first: number, count: number) => Array.from({ length: count }, (_, i) => anAlert(first - i))

/** The history page at a link; the server answers each request when it is told to. */
async function page(link = '/', answer: (call: Call) => unknown = () => ({ items: [] })) {
  const component = { render: () => null }
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', name: 'alerts', component }, { path: '/other', name: 'other', component }] })
  await router.push(link)
  const calls = aServer({ 'GET /api/v1/alerts': answer })
  const { result, unmount } = mounted(useHistory, router)
  return { ...result, calls, router, unmount }
}

test('a link’s filter is asked for, page by page, with how many there are in all', async () => {
  const { load, items, count, ended, calls } = await page('/?level=1&from=2026-11-20T00:00&q=栖霞', ({ query }) => (query.before ? { items: alerts(50, 3) } : { items: alerts(100, 50), count: 53 }))
  await load()
  expect(calls[0]!.query).toMatchObject({ state: 'all', level: '1', from: '2026-11-19T16:00:00.000Z', q: '栖霞', limit: '50' })
  expect([items.value!.length, count.value, ended.value]).toEqual([50, 53, false])
  await load(true)
  expect(calls[1]!.query.before).toBe('51')
  expect([items.value!.length, count.value, ended.value]).toEqual([53, 53, true])
})

test('a filter that changes is asked for once, a moment later, and stands in the link', async () => {
  const { filter, calls, router } = await page()
  filter.value.q = '栖'
  await vi.advanceTimersByTimeAsync(100)
  filter.value.q = '栖霞'
  await vi.advanceTimersByTimeAsync(1000)
  expect(calls.map((c) => c.query.q)).toEqual(['栖霞'])
  expect(router.currentRoute.value.query).toEqual({ q: '栖霞' })
})

test('an answer that comes late does not take the place of a newer one', async () => {
  const answers: ((a: object) => void)[] = []
  const { load, filter, items, busy } = await page('/', () => new Promise((resolve) => answers.push(resolve)))
  const first = load()
  filter.value.level = '1'
  await vi.advanceTimersByTimeAsync(400)
  answers[1]!({ items: [anAlert(2)] })
  await vi.advanceTimersByTimeAsync(0)
  answers[0]!({ items: [anAlert(1)] })
  await first
  expect([items.value!.map((a) => a.id), busy.value]).toEqual([[2], false])
})

test('a list that cannot be had says why, and keeps what is shown', async () => {
  let answer: unknown = { items: [anAlert(1)], count: 1 }
  const { load, items, error, busy } = await page('/', () => answer)
  await load()
  answer = refusal(503)
  await load()
  expect([items.value!.length, error.value !== null, busy.value]).toEqual([1, true, false])
  answer = { items: [], count: 0 }
  await load()
  expect([items.value, error.value]).toEqual([[], null])
})

test('a range that ends before it begins is not sent', async () => {
  const { load, calls } = await page('/?from=2026-11-21T00:00&to=2026-11-20T00:00')
  await load()
  expect(calls).toEqual([])
})

test('an export has the filter of the list, its times in UTC, and nothing that is at any', () => {
  const filter = { state: 'cleared', from: '2026-11-20T00:00', to: '2026-11-21T00:00', level: '', peak: '1,2', division: '370602', hazard: '', device: ' ', q: ' ' } as const
  const url = new URL(exportUrl('csv', 'en', queryOf(filter)), 'http://map.example')
  expect(Object.fromEntries(url.searchParams)).toEqual({ format: 'csv', lang: 'en', state: 'cleared', from: '2026-11-19T16:00:00.000Z', to: '2026-11-20T16:00:00.000Z', peak: '1,2', division: '370602' })
})
