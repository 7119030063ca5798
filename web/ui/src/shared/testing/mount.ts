// Runs a composable inside a component for unit tests, without a DOM: its hooks run, and nothing is drawn.

import { onTestFinished } from 'vitest'
import { createRenderer, type Plugin } from 'vue'

const node = () => ({})
const nothing = () => undefined
const { createApp } = createRenderer<object, object>({
  createElement: node, createText: node, createComment: node, parentNode: () => null, nextSibling: () => null,
  insert: nothing, remove: nothing, patchProp: nothing, setText: nothing, setElementText: nothing,
})

/** Mounts a component that calls setup. It is unmounted at the end of the test, or by unmount before that. */
export function mounted<T>(setup: () => T, ...plugins: Plugin[]): { result: T; unmount: () => void } {
  let result!: T
  const app = createApp({
    setup() {
      result = setup()
      return () => null
    },
  })
  for (const plugin of plugins) app.use(plugin)
  app.mount({})
  let open = true
  function unmount() {
    if (open) app.unmount()
    open = false
  }
  onTestFinished(unmount)
  return { result, unmount }
}
