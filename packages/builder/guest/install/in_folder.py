"""Runs an installer in a folder of the bundle; argv: the folder, a script of this directory or `pip`, its arguments."""

import os
import runpy
import sys

folder, program, *arguments = sys.argv[1:]
scripts = os.path.dirname(os.path.abspath(__file__))
os.chdir(folder)
sys.argv = [program, *arguments]
if program == "pip":
    runpy.run_module("pip", run_name="__main__")
else:
    runpy.run_path(os.path.join(scripts, program), run_name="__main__")
