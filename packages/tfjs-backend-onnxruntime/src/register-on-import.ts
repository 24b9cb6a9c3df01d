import { register } from './register.ts';

// Importing the package is all that a program has to do; see `register`.
register();
