import { expect, test } from 'vitest'
import { ApiError } from '@/shared/api/client'
import { mustAsk, refusal } from './watchdog'

const refusing = (status: number, code?: string, params: Record<string, string> = {}) => () => Promise.reject(new ApiError(status, { title: 'no', status, code, params }))

test('the server is asked early, and then now and then', () => {
  const asked = Array.from({ length: 30 }, (_, i) => i + 1).filter(mustAsk)
  expect(asked).toEqual([2, 4, 10, 20, 30])
})

test.each([
  [403, 'origin-foreign', { origin: 'https://a', host: 'b' }, '--origin https://a'],
  [429, 'push-account-full', { n: '256' }, '256'],
  [503, 'push-full', { n: '10000' }, '10000'],
  [503, 'push-not-ready', {}, '正在启动或停止'],
])('%i %s is said in words', async (status, code, params, words) => {
  const problem = await refusal(2, refusing(status, code, params))
  expect(problem).toMatchObject({ key: 'watch.origin', severity: 'broken' })
  expect(problem?.params?.reason).toContain(words)
})

test('what says nothing of the live connection is no reason', async () => {
  for (const [status, code] of [[0], [401], [404], [500, 'internal-error'], [502], [503]] as [number, string?][]) {
    expect(await refusal(9, refusing(status, code)), String(status)).toBeNull()
  }
})

test('a server that would let the page in, and a connection that fails again and again: it is lost on the way', async () => {
  const yes = () => Promise.resolve()
  expect(await refusal(2, yes)).toBeNull() // it may have been starting
  expect(await refusal(4, yes)).toMatchObject({ key: 'watch.upgrade', params: { path: '/ws' } })
})
