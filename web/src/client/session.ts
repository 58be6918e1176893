/** What only somebody signed in needs, as one piece to be fetched apart: the way to the sign-in screen is short. */
export { Engine } from './engine';
export { openStream } from './stream';
export { uploadFile } from './uploads';
