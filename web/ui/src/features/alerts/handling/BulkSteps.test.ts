// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { limits } from '@/shared/api/limits.gen'
import { anAlert } from '@/shared/testing/fixtures'
import { at, labelOf, mount, newStores, press, submit, type, unmount } from '@/shared/testing/dom'
import { aServer } from '@/shared/testing/server'
import BulkSteps from './BulkSteps.vue'

beforeEach(() => {
  newStores()
  sessionStorage.clear()
})
afterEach(unmount)

test('one step on the chosen alerts, with one reason', async () => {
  const calls = aServer({ 'POST /api/v1/alerts/bulk': { items: [{ id: 1, alert: anAlert(1) }, { id: 2, problem: { status: 409, code: 'step-impossible', params: { handling: 'closed', action: 'resolve' } } }] } })
  const choose = vi.fn()
  const chosen = [anAlert(1, { level: 2 }), anAlert(2)]
  await mount(BulkSteps, { chosen, shown: chosen, onChoose: choose })
  await press('bulk-resolve')
  await vi.waitFor(() => expect(document.activeElement).toBe(at('bulk-note')))
  expect([labelOf('bulk-note'), at('bulk-note').maxLength]).toEqual([at('bulk-note').getAttribute('aria-label'), limits.BulkStep.note.maxLength])
  expect(at<HTMLButtonElement>('bulk-send').disabled).toBe(true)
  await type('bulk-note', ' 演练结束 ')
  await submit('bulk-form')
  await vi.waitFor(() => expect(choose).toHaveBeenCalledWith([2]))
  expect(calls[0]!.body).toEqual({ action: 'resolve', ids: [1, 2], levels: [2, 3], note: '演练结束', confirm: true })
  expect(at('bulk-results').dataset.refused).toBe('1')
})
