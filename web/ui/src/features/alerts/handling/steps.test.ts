import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { anAlert } from '@/shared/testing/fixtures'
import { aServer, refusal, type Call } from '@/shared/testing/server'
import { useAlerts } from '../alerts'
import { mayTake, useBulk } from './useBulk'
import { useStep } from './useStep'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

test('a step that was taken brings the alert as it is now', async () => {
  const calls = aServer({ 'POST /api/v1/alerts/1/resolve': { alert: anAlert(1, { version: 2, handling: 'resolved' }) } })
  const done = vi.fn()
  const step = useStep(done)
  expect(await step.send(1, 'resolve', { level: 3, note: '已处理' })).toBe(true)
  expect(calls[0]!.body).toEqual({ level: 3, note: '已处理' })
  expect([useAlerts().all.get(1)!.handling, step.busy.value, step.failed.value]).toEqual(['resolved', false, null])
  expect(step.said.value).not.toBe('')
  expect(done.mock.calls[0]![0]).toMatchObject({ id: 1, possible: [] })
})

test('a step that was refused is not tried again by itself; one that was not answered may be', async () => {
  aServer({ 'POST /api/v1/alerts/1/close': refusal(409, { code: 'step-impossible', params: { handling: 'closed', action: 'close' } }) })
  const step = useStep(() => undefined)
  expect(await step.send(1, 'close')).toBe(false)
  expect(step.failed.value).toMatchObject({ id: 1, action: 'close', again: false })
  expect(step.failed.value!.text).toContain('关闭')
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  await step.send(1, 'close', { note: 'n' })
  expect(step.failed.value!.again).toBe(true)
  const calls = aServer({ 'POST /api/v1/alerts/1/close': { alert: anAlert(1, { handling: 'closed' }) } })
  expect(await step.retry()).toBe(true)
  expect(calls[0]!.body).toEqual({ note: 'n' })
  expect(await step.retry()).toBe(false) // there is none
})

test('what is known not to be possible is left out of a bulk step; what is not known is asked', () => {
  expect(mayTake(anAlert(1), 'close')).toBe(true)
  expect(mayTake(anAlert(1, { possible: undefined }), 'close')).toBe(true)
  expect(mayTake(anAlert(1, { possible: ['resolve'] }), 'close')).toBe(false)
  const bulk = useBulk(() => [anAlert(1, { possible: ['close'] }), anAlert(2, { possible: [] }), anAlert(3, { detection: 'cleared' })])
  expect(bulk.able('close').map((a) => a.id)).toEqual([1, 3])
  expect(bulk.firing('close').map((a) => a.id)).toEqual([1])
  expect(bulk.firing('acknowledge')).toEqual([])
  expect(bulk.worstOf([anAlert(1, { level: 3 }), anAlert(2, { level: 1 })])).toBe(1)
})

test('each alert of a bulk step has its own answer, and one that the answer leaves out is not done', async () => {
  const calls = aServer({
    'POST /api/v1/alerts/bulk': { items: [{ id: 1, alert: anAlert(1, { handling: 'acknowledged' }) }, { id: 2, problem: { status: 409, code: 'step-impossible', params: { handling: 'closed', action: 'acknowledge' } } }] },
  })
  const bulk = useBulk(() => [])
  await bulk.send('acknowledge', [1, 2, 3].map((id) => ({ id, level: 2 as const })), {})
  expect(calls[0]!.body).toEqual({ action: 'acknowledge', ids: [1, 2, 3], levels: [2, 2, 2] })
  expect(bulk.taken.value.map((r) => r.id)).toEqual([1])
  expect(bulk.refused.value.map((r) => r.id)).toEqual([2, 3])
  expect(bulk.refused.value.every((r) => r.why !== '')).toBe(true)
})

test('more than the server takes at once are sent in parts', async () => {
  const calls = aServer({ 'POST /api/v1/alerts/bulk': ({ body }: Call) => ({ items: (body as { ids: number[] }).ids.map((id) => ({ id, alert: anAlert(id) })) }) })
  const bulk = useBulk(() => [])
  await bulk.send('close', Array.from({ length: 1001 }, (_, i) => ({ id: i + 1, level: 2 as const })), { note: 'n' })
  expect(calls.map((c) => (c.body as { ids: number[] }).ids.length)).toEqual([500, 500, 1])
  expect(bulk.taken.value).toHaveLength(1001)
})

test('the refused ones are tried again as they are shown now, the taken ones stay taken', async () => {
  aServer({ 'POST /api/v1/alerts/bulk': { items: [{ id: 1, alert: anAlert(1) }, { id: 2, problem: { status: 503 } }] } })
  const bulk = useBulk(() => [])
  await bulk.send('resolve', [{ id: 1, level: 3 }, { id: 2, level: 3 }], { note: 'n' })
  useAlerts().put(anAlert(2, { level: 1 }))
  const calls = aServer({ 'POST /api/v1/alerts/bulk': { items: [{ id: 2, alert: anAlert(2) }] } })
  await bulk.retry()
  expect(calls[0]!.body).toEqual({ action: 'resolve', ids: [2], levels: [1], note: 'n' })
  expect([bulk.taken.value.map((r) => r.id), bulk.refused.value]).toEqual([[1, 2], []])
  bulk.forget()
  expect([bulk.results.value, bulk.last.value]).toEqual([null, null])
  await bulk.retry()
  expect(calls).toHaveLength(1)
})

test('a bulk step that was not answered says so for all', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  const bulk = useBulk(() => [])
  await bulk.send('close', [{ id: 1, level: 2 }], {})
  expect(bulk.error.value).not.toBe('')
  expect([bulk.busy.value, bulk.results.value]).toEqual([false, null])
})
