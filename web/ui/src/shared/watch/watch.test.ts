import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, test } from 'vitest'
import { mapRebuilding as broken, useWatch, type WatchProblem } from './watch'

const warning: WatchProblem = { key: 'watch.part', severity: 'warning' }

beforeEach(() => setActivePinia(createPinia()))

test('a page without a problem is not broken', () => {
  const watch = useWatch()
  expect(watch.broken).toBe(false)
  expect(watch.problems).toEqual([])
})

test('one broken part breaks the page, a warning does not', () => {
  const watch = useWatch()
  watch.report('version', warning)
  expect(watch.broken).toBe(false)
  watch.report('map', broken)
  expect(watch.broken).toBe(true)
  watch.report('map', null)
  expect(watch.broken).toBe(false)
  expect(watch.problems.map((p) => p.part)).toEqual(['version'])
})

test('nothing is known of new alarms while the feed or the rules fail; a lost map or a new version hides none', () => {
  const watch = useWatch()
  for (const part of ['map', 'version', 'part:layers']) watch.report(part, broken)
  watch.report('session', warning)
  expect(watch.blind).toBe(false)
  for (const [part, problem] of [['session', broken], ['offline', broken], ['feed', broken], ['picture', broken], ['part:rules', warning], ['part:broker', warning]] as const) {
    watch.report(part, problem)
    expect(watch.blind, part).toBe(true)
    watch.report(part, null)
    expect(watch.blind, part).toBe(false)
  }
})

test('the session stands above the feed, the feed above a part of the server', () => {
  const watch = useWatch()
  for (const part of ['part:rules', 'version', 'part:broker', 'feed', 'map', 'session', 'offline']) watch.report(part, broken)
  expect(watch.problems.map((p) => p.part)).toEqual(['session', 'offline', 'feed', 'map', 'version', 'part:broker', 'part:rules'])
})

test('the same report again changes nothing, so that nothing is read out twice', () => {
  const watch = useWatch()
  watch.report('map', broken)
  const before = watch.problems
  watch.report('map', { ...broken })
  expect(watch.problems).toBe(before)
})
