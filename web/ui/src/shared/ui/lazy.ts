import { defineAsyncComponent, type Component } from 'vue'
import StateNote from './StateNote.vue'

/** A component that is loaded when it is first drawn, so that its controls are no part of the page's first load. */
export const lazy = <T extends Component>(loader: () => Promise<{ default: T }>) => defineAsyncComponent({ loader, errorComponent: StateNote })
