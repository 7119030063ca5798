// Components in the DOM of a test, and what a person does with a form of theirs.

import { createPinia, setActivePinia, type Pinia } from 'pinia'
import { createApp, h, nextTick, type App, type Component } from 'vue'
import { expect, vi } from 'vitest'
import { i18n } from '@/shared/i18n'

let pinia: Pinia
let app: App | undefined

/** New stores, as a page begins with. */
export function newStores(): void {
  pinia = createPinia()
  setActivePinia(pinia)
}

/** Draws a component with its props, and listeners such as onSaved among them. */
export async function mount(component: Component, props: Record<string, unknown>): Promise<void> {
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp({ render: () => h(component, props) }).use(pinia).use(i18n)
  app.mount(host)
  await nextTick()
}

/** Takes down what was mounted, and what it left in the document. */
export function unmount(): void {
  app?.unmount()
  document.body.innerHTML = ''
  vi.unstubAllGlobals()
}

/** The element of a test id. */
export function at<T extends HTMLElement = HTMLInputElement>(id: string): T {
  const found = document.querySelector<T>(`[data-testid="${id}"]`)
  if (!found) throw new Error(`no element has the test id ${id}`)
  return found
}

/** Types a text into a field and leaves it. */
export async function type(id: string, text: string): Promise<void> {
  const field = at(id)
  field.value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
  field.dispatchEvent(new Event('change', { bubbles: true }))
  await nextTick()
}

/** Presses a button, a checkbox or a radio button. */
export async function press(id: string): Promise<void> {
  const found = at<HTMLElement>(id)
  ;(found.querySelector<HTMLElement>('input') ?? found).click()
  await nextTick()
}

/** The values of a select's list. */
export const offered = (id: string) => options(id).map((o) => o.dataset.value)
const options = (id: string) => [...document.getElementById(at(id).getAttribute('aria-controls')!)!.querySelectorAll<HTMLElement>('[data-value]')]

/** Chooses a value of a select. */
export async function choose(id: string, value: string | number): Promise<void> {
  options(id).find((o) => o.dataset.value === String(value))!.click()
  await nextTick()
}

/** Sends a form as Enter does. */
export async function submit(id: string): Promise<void> {
  at<HTMLFormElement>(id).dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
  await nextTick()
}

/** Waits until the faults that stand at fields are these, by the names of the fields. */
export async function seeFaults(faults: Record<string, string>): Promise<void> {
  const said = () => Object.fromEntries([...document.querySelectorAll<HTMLElement>('[data-testid^="fault-"]')].map((p) => [p.dataset.testid!.slice('fault-'.length), p.textContent]))
  await vi.waitFor(() => expect(said()).toEqual(faults), { timeout: 3000 })
}

/** The text of a field's label: its accessible name. */
export const labelOf = (id: string) => at(id).labels?.[0]?.textContent ?? at(id).getAttribute('aria-label')
