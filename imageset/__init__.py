"""The library of Open Image Classifier: what the stages of the pipeline are made of.

It knows no DVC and no fixed paths: every function is told what to read and where to write.
The one exception is the command line, `imageset.cli`.
"""
